/** What `assay doctor` says of the models elsewhere that judge images: where images go, who answers there. */
import type { Config } from '../../config.ts';
import { providerOf, rosterOf } from '../../judges.ts';
import type { Roster } from '../../reward/model/catalog.ts';
import { asFinding, lackOf, whereabouts } from './elsewhere.ts';
import type { Finding } from './surroundings.ts';

async function presence(id: string, config: Config, roster: Roster): Promise<Finding[]> {
  const { model } = config.judges[id]!;
  try {
    const { provider } = providerOf(id, config);
    const { notes } = await roster.open(id);
    const lack = await lackOf(provider, model);
    const remarks = notes.map((what): Finding => ({ level: 'note', what }));
    if (!lack) return remarks;
    const fix = `${lack.has}: name one that sees images in judges.${id}.model.`;
    return [{ level: 'problem', what: `judge ${id}: ${lack.what}`, fix }, ...remarks];
  } catch (thrown) {
    return [asFinding(`judge ${id}`, thrown)];
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
    whereabouts(`judge ${id}`, `judges.${id}`, config.judges[id]!),
    ...(await presence(id, config, roster)),
  ]);
  const all = (await Promise.all(found)).flat();
  await roster.close();
  return all;
}
