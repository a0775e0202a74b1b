/** What no single field of a manifest can be blamed for, in words. Pure. */
import { ASPECTS } from '../../types/aspect.ts';
import type { AspectSpec, Manifest } from './manifest.ts';
import { textFiles } from './model-files.ts';

/** @param last name of the graph that judges */
export const faultsOf = (m: Manifest, last: string): string[] => [
  ...variantFaults(m),
  ...chainFaults(m, last),
  ...imageFaults(m),
  ...inputFaults(m),
  ...languageFaults(m),
  ...textFaults(m),
  ...aspectFaults(m),
  ...rewardFaults(m),
];

function* variantFaults(m: Manifest): Generator<string> {
  for (const name of [m.defaultVariant, m.gpuVariant])
    if (name !== undefined && !Object.hasOwn(m.variants, name)) yield `variant "${name}" is not in variants`;
  for (const [variant, { graphs, windows }] of Object.entries(m.variants)) {
    const missing = m.graphs.find(({ graph }) => !Object.hasOwn(graphs, graph));
    if (missing) yield `variants.${variant}.graphs has no "${missing.graph}", which is one of graphs`;
    if (windows && !m.image.windows) yield `variants.${variant}.windows is set, but image.windows is not`;
  }
  for (const file of shippedFiles(m))
    if (!Object.hasOwn(m.files, file)) yield `files has no entry for ${file}`;
}

function* chainFaults({ graphs, text }: Manifest, judge: string): Generator<string> {
  const last = graphs.at(-1);
  if (last?.graph !== judge || last.per !== 'pair') yield `graphs: the last one must be "${judge}", per pair`;
  const names = graphs.map(({ graph }) => graph);
  for (const name of repeated(names)) yield `graphs: "${name}" stands there twice`;
  for (const { graph, per, texts } of graphs) {
    if (texts && !text) yield `graphs: "${graph}" reads texts, but text is null`;
    if (per === 'prompt' && !texts) yield `graphs: "${graph}" is per prompt, but has no texts`;
    if (per === 'image' && texts) yield `graphs: "${graph}" is per image, but reads texts`;
  }
}

function* imageFaults({ image }: Manifest): Generator<string> {
  const { windows, resize, dtype, scale, offset } = image;
  if (resize === 'windows' && !windows) yield 'image.windows is missing';
  if (resize !== 'windows' && windows) yield `image.windows is set, but image.resize is ${resize}`;
  if (windows && windows.enlargeTo < Math.max(image.width, image.height))
    yield 'image.windows.enlargeTo is less than a window';
  if (dtype === 'uint8' && (scale !== 1 || offset !== 0))
    yield 'image.scale and image.offset have no effect with dtype uint8';
}

/** Two things in one graph input would overwrite each other. */
function* inputFaults({ image, text, language }: Manifest): Generator<string> {
  const said = language?.inputs.map(({ input }) => input) ?? [];
  const names = [image.input, image.windows?.whole, text?.ids, text?.mask, ...said];
  for (const name of repeated(names.filter((n) => typeof n === 'string')))
    yield `the graph input "${name}" is named twice`;
}

function* languageFaults({ language, maxBatch, image }: Manifest): Generator<string> {
  if (image.input === null && image.windows) yield 'image.windows is set, but no graph reads pixels';
  if (image.input === null && !language) yield 'image.input is null, and there is no language to judge by';
  for (const { input, turns, pool } of language?.inputs ?? []) {
    const at = `language.inputs "${input}"`;
    if (pool === 'none' && maxBatch > 1) yield `${at}: with pool none, maxBatch must be 1`;
    for (const fault of turnFaults(turns)) yield `${at}: ${fault}`;
  }
}

type Turns = NonNullable<Manifest['language']>['inputs'][number]['turns'];

function* turnFaults(turns: Turns): Generator<string> {
  const users = turns.filter(({ role }) => role === 'user');
  if (users.length === 0) yield 'no turn is of the user';
  const places = (all: Turns) =>
    all
      .map(({ text = '' }) => text)
      .join('')
      .split('{image}').length - 1;
  if (places(turns) > 1 || places(users) < places(turns))
    yield '{image} must stand once, in a turn of the user';
  const open = turns.findIndex(({ text }) => text === undefined);
  if (open >= 0 && (turns[open]!.role !== 'assistant' || turns[open - 1]?.role !== 'user'))
    yield 'a turn without text must be of the assistant, after one of the user';
}

/** Whether the prompt is among what a language model is told. */
const tellsPrompt = ({ language }: Manifest): boolean =>
  language?.inputs.some(({ turns }) => turns.some(({ text }) => text?.includes('{prompt}'))) ?? false;

function* textFaults({ text }: Manifest): Generator<string> {
  if (text?.short && text.short.tokens > text.contextLength)
    yield 'text.short.tokens is more than text.contextLength';
}

function* aspectFaults(m: Manifest): Generator<string> {
  const { aspects, text } = m;
  if (ASPECTS.every((name) => !aspects[name])) yield 'aspects: none is predicted';
  for (const name of ASPECTS) {
    const aspect = aspects[name];
    if (!aspect) continue;
    if (aspect.needsPrompt && !text && !tellsPrompt(m))
      yield `aspects.${name} needs the prompt, but text is null`;
    yield* levelFaults(name, aspect);
  }
}

function* levelFaults(name: string, { kind, levels }: AspectSpec): Generator<string> {
  if (kind === 'distribution' && !levels) yield `aspects.${name}.levels is missing`;
  if (kind !== 'distribution' && levels) yield `aspects.${name}.levels is set, but its kind is ${kind}`;
  if (levels && new Set(levels).size < levels.length) yield `aspects.${name}.levels: two of them are equal`;
}

function* rewardFaults({ aspects, reward: { weights, standard } }: Manifest): Generator<string> {
  const weighted = ASPECTS.filter((name) => weights[name]);
  for (const name of weighted)
    if (!aspects[name]) yield `reward.weights.${name} is set, but ${name} is not predicted`;
  if (weighted.length === 0) yield 'reward.weights: none is above 0';
  for (const name of weighted)
    if (standard && !standard[name]) yield `reward.standard.${name} is missing, but ${name} is weighted`;
}

const repeated = (names: string[]): string[] => names.filter((name, i) => names.indexOf(name) !== i);

function shippedFiles(m: Manifest): string[] {
  const graphs = Object.values(m.variants).flatMap((v) => Object.values(v.graphs));
  return [...graphs, m.calibration, m.golden, ...textFiles(m)];
}
