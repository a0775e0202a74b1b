/** What `assay doctor` says of the language models that scorers judge by: which are named, where images go, who answers. */
import type { Config } from '../../config.ts';
import { languageModelOf, scorersOf } from '../../judges.ts';
import type { Provider } from '../../types/provider.ts';
import { asFinding, lackOf, whereabouts } from './elsewhere.ts';
import type { Finding } from './surroundings.ts';

/** Scorers in model folders that judge by a language model. */
async function scorersWith(config: Config): Promise<Map<string, { model: string; asks: boolean }>> {
  const catalog = scorersOf(config);
  const found = catalog.models().flatMap(({ manifest: { id, language } }) => {
    if (!language) return [];
    const asks = language.inputs.some(({ turns }) => turns.some(({ text }) => text === undefined));
    return [[id, { model: language.model, asks }] as const];
  });
  await catalog.close();
  return new Map(found);
}

async function presence(id: string, asks: boolean, config: Config): Promise<Finding[]> {
  const name = `language model of ${id}`;
  try {
    const { model, notes } = languageModelOf(id, config)!;
    const settings = config.languageModels[id]!;
    const told = [
      await faultOf(name, model.states, settings.model),
      asks && settings.chat ? await faultOf(name, model.chat, settings.chat.model) : [],
    ];
    return [...told.flat(), ...notes.map((what): Finding => ({ level: 'note', what: `${name}: ${what}` }))];
  } catch (thrown) {
    return [asFinding(name, thrown)];
  }
}

/** Where no name is set it cannot be told whether it is the right one, so what is there is said. */
async function faultOf(
  name: string,
  endpoint: Pick<Provider, 'url' | 'models'>,
  model = '',
): Promise<Finding[]> {
  const lack = await lackOf(endpoint, model);
  if (!lack) return [];
  if (model === '') return [{ level: 'ok', what: `${name}: ${endpoint.url} answers. ${lack.has}` }];
  return [{ level: 'problem', what: `${name}: ${lack.what}`, fix: `${lack.has}.` }];
}

export async function checkLanguageModels(config: Config): Promise<Finding[]> {
  const ids = Object.keys(config.languageModels);
  let scorers: Awaited<ReturnType<typeof scorersWith>>;
  try {
    scorers = await scorersWith(config);
  } catch {
    return []; // told where the models are checked
  }
  const found = ids.map(async (id): Promise<Finding[]> => {
    const scorer = scorers.get(id);
    const settings = config.languageModels[id]!;
    const setting = `languageModels.${id}`;
    if (!scorer) {
      const fix = `Correct the name; those that need one: ${[...scorers.keys()].join(', ') || 'none'}.`;
      return [{ level: 'problem', what: `${setting}: no scorer of that id judges by a language model`, fix }];
    }
    const name = `language model of ${id}`;
    const elsewhere = settings.chat && whereabouts(`${name} (chat)`, `${setting}.chat`, settings.chat);
    return [
      whereabouts(name, setting, { ...settings, model: settings.model ?? `what must be ${scorer.model}` }),
      ...(elsewhere ? [elsewhere] : []),
      ...(await presence(id, scorer.asks, config)),
    ];
  });
  const unnamed = [...scorers].filter(([id]) => !ids.includes(id));
  const lacks = unnamed.map(
    ([id, { model }]): Finding => ({
      level: 'note',
      what: `${id} needs ${model} elsewhere, and languageModels.${id} names none`,
      fix: 'Start it and name its address there (docs/language-models.md), if you use that scorer.',
    }),
  );
  return [...(await Promise.all(found)).flat(), ...lacks];
}
