/** What `assay doctor` says of the models elsewhere that judge images: where images go, who answers there. */
import { isHere } from '../../bridge/providers/access.ts';
import type { Config } from '../../config.ts';
import { toAssayError } from '../../errors/error.ts';
import { providerOf, rosterOf } from '../../judges.ts';
import type { Roster } from '../../reward/model/catalog.ts';
import type { Finding } from './surroundings.ts';

const ANSWER_MS = 5000;

/** Where the images go is said whether or not anybody answers. */
function whereabouts(id: string, { url, model }: Config['judges'][string]): Finding {
  const { host } = new URL(url);
  const what = `judge ${id}: ${model} at ${host}`;
  if (isHere(url)) return { level: 'ok', what: `${what}, on this machine` };
  return {
    level: 'note',
    what: `${what}: images and prompts that it judges leave this machine`,
    fix: `Take judges.${id} out of the config if they must not.`,
  };
}

async function presence(id: string, config: Config, roster: Roster): Promise<Finding[]> {
  const { model } = config.judges[id]!;
  try {
    const { provider } = providerOf(id, config);
    const { notes } = await roster.open(id);
    const models = await provider.models(AbortSignal.timeout(ANSWER_MS));
    const remarks = notes.map((what): Finding => ({ level: 'note', what }));
    if (!models || models.some((name) => name === model || name === `${model}:latest`)) return remarks;
    const what = `judge ${id}: ${provider.url} has no model ${model}`;
    const fix = `It has ${models.slice(0, 8).join(', ') || 'none'}: name one that sees images in judges.${id}.model.`;
    return [{ level: 'problem', what, fix }, ...remarks];
  } catch (thrown) {
    const { message, fix } = toAssayError(thrown);
    return [{ level: 'problem', what: `judge ${id}: ${message}`, fix }];
  }
}

export async function checkJudges(config: Config): Promise<Finding[]> {
  const ids = Object.keys(config.judges);
  if (ids.length === 0) return [];
  let roster: Roster;
  try {
    roster = rosterOf(config);
  } catch {
    return []; // told where the models are checked
  }
  const found = ids.map(async (id) => [
    whereabouts(id, config.judges[id]!),
    ...(await presence(id, config, roster)),
  ]);
  const all = (await Promise.all(found)).flat();
  await roster.close();
  return all;
}
