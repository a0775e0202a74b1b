/** What a refinement is to do, from the flags of `assay refine` and the workflow. */
import { fail } from '../../errors/error.ts';
import type { Template } from '../../host.ts';
import { parseLenient } from '../../lib/python-json.ts';
import { fewOf } from '../../lib/words.ts';
import type { RefinePlan } from '../../loops/refine/folder.ts';
import { refineSpecOf } from '../../loops/refine/spec.ts';
import { normalise } from '../../prompt/words/normalise.ts';
import { graphIn, promptOfSaved } from '../../prompt/workflow/saved.ts';
import { pickOf } from '../best/plan.ts';
import { inFlags, usage } from '../input/flags.ts';
import { type Given, planHead } from '../study/start.ts';

/** Flags that say what a refinement does; one that is gone on with has its own. */
export interface RefineFlagsOfPlan {
  prompt?: string;
  input?: string[];
  by?: string;
  images?: number;
  rounds?: number;
  variants?: number;
  seeds?: number;
  confirm?: number;
  keepWords?: number;
  seed?: number;
}

interface Place {
  /** Inputs that hold the prompt; several where encoders get the same text twice. */
  inputs: string[];
  /** What stands there. */
  text: string;
}

/** @throws USAGE, INPUT_UNKNOWN, INPUT_LINKED */
function named(names: readonly string[], template: Template): Place {
  const inputs = names.map((name) => template.input(name));
  const wrong = inputs.find(({ value }) => typeof value !== 'string');
  if (wrong) throw usage(`--input ${wrong.name}: it holds ${wrong.value}, which is no text`);
  return { inputs: inputs.map(({ name }) => name), text: String(inputs[0]!.value) };
}

/** Where the prompt stands of the images that the workflow saves. @throws PROMPT_INPUT_UNKNOWN */
function found({ template, file, text }: Given<RefineFlagsOfPlan>): Place {
  if (template.prompt) return { inputs: [template.prompt.name], text: String(template.prompt.value) };
  const graph = graphIn(parseLenient(text))?.graph ?? {};
  const { prompt, reason } = promptOfSaved(graph, null);
  const unclear = (why: string) => fail('PROMPT_INPUT_UNKNOWN', { source: file, reason: why });
  if (prompt === null) throw unclear(reason ?? 'none was found');
  const places = template.texts.filter(({ value }) => normalise(String(value)).words === prompt);
  if (places.length > 0) return { inputs: places.map(({ name }) => name), text: String(places[0]!.value) };
  const texts = template.texts.filter(({ value }) => String(value).includes(' ')).map(({ name }) => name);
  throw unclear(
    `the prompt is put together of several texts${texts.length > 0 ? `, as of ${fewOf(texts)}` : ''}`,
  );
}

/** @throws USAGE, STUDY_INVALID, NO_SEED, PROMPT_UNKNOWN, PROMPT_INPUT_UNKNOWN, INPUT_UNKNOWN, INPUT_LINKED */
export function planOf(given: Given<RefineFlagsOfPlan>): RefinePlan {
  const { flags, template, file } = given;
  const seeds = template.seeds.map(({ name }) => name);
  if (seeds.length === 0) throw fail('NO_SEED', { source: file });
  const place = flags.input ? named(flags.input, template) : found(given);
  const prompt = (flags.prompt ?? place.text).trim();
  if (normalise(prompt).words === null) throw fail('PROMPT_UNKNOWN', { reason: `"${prompt}" has no words` });
  const by = pickOf(flags.by ?? 'reward');
  if (by.length > 1) throw usage(`--by ${flags.by}: name one measure; a difference of ranks says nothing`);
  const { images, rounds, variants, confirm, keepWords } = flags;
  const asked = {
    ...{ version: 1, seed: flags.seed ?? Math.floor(Math.random() * 2 ** 32), prompt, by: by[0] },
    ...{ images, rounds, variants, seeds: flags.seeds, confirm, keepWords },
  };
  const spec = inFlags(() => refineSpecOf(asked), {});
  return {
    ...{ ...planHead(given), spec },
    ...{ seeds, inputs: place.inputs },
  };
}
