/** The judges that a configuration names: scorers in model folders, and models elsewhere that look at images. */
import { accessTo } from './bridge/providers/access.ts';
import { createStates } from './bridge/providers/states.ts';
import { createVision } from './bridge/providers/vision.ts';
import type { Config } from './config.ts';
import { fail } from './errors/error.ts';
import { type Catalog, catalogOf, type Known, type Opened, type Roster } from './reward/model/catalog.ts';
import { refOf } from './reward/model/manifest.ts';
import { VLM_ASPECTS, VLM_REWARD, VLM_VERSION, VlmJudge } from './reward/vlm/judge.ts';
import { calibrationFolder } from './reward/vlm/stored.ts';
import type { LanguageModel, Provider } from './types/provider.ts';
import type { ScorerInfo } from './types/scorer.ts';

/** Answers with the probabilities of all their tokens may be large; results have a memory of their own. */
const MOST_ANSWERS = 256;

/** The model of a judge, ready to be asked. @throws USAGE, TOKEN_UNREADABLE */
export function providerOf(id: string, config: Config): { provider: Provider; notes: string[] } {
  const { apiKeyFile: _, ...settings } = config.judges[id]!;
  const { key, notes } = accessTo(config.judges[id]!, `judges.${id}`);
  const provider = createVision({
    ...settings,
    apiKey: key,
    cache: Math.min(config.resultCache, MOST_ANSWERS),
  });
  return { provider, notes };
}

/** The language model that a scorer judges by; undefined: none is named. @throws USAGE, TOKEN_UNREADABLE */
export function languageModelOf(
  id: string,
  config: Config,
): { model: LanguageModel; notes: string[] } | undefined {
  if (!Object.hasOwn(config.languageModels, id)) return undefined;
  const settings = config.languageModels[id]!;
  const { chat: elsewhere, kind, url, model, timeoutMs, concurrency, maxTokens } = settings;
  const { key, notes } = accessTo(settings, `languageModels.${id}`);
  const talk = elsewhere && accessTo(elsewhere, `languageModels.${id}.chat`);
  const shared = { timeoutMs, concurrency };
  const states = createStates({
    kind,
    url,
    model,
    apiKey: key,
    ...shared,
    cacheBytes: config.embeddingCacheBytes,
  });
  const chat = createVision({
    ...{ url, apiKey: key, ...elsewhere, ...(talk && { apiKey: talk.key }) },
    // A server of one model does not ask for its name.
    model: elsewhere?.model ?? model,
    // Who is not asked for probabilities may look for an answer in other ways than word by word.
    probabilities: false,
    ...{ ...shared, maxTokens, cache: Math.min(config.resultCache, MOST_ANSWERS) },
  });
  return { model: { states, chat, concurrency }, notes: [...notes, ...(talk?.notes ?? [])] };
}

/** Each made when it is first asked for. */
function languageModelsOf(config: Config): (id: string) => LanguageModel | undefined {
  const made = new Map<string, LanguageModel | undefined>();
  return (id) => {
    if (!made.has(id)) made.set(id, languageModelOf(id, config)?.model);
    return made.get(id);
  };
}

/** The scorers in model folders, with the language models that some of them judge by. */
export const scorersOf = (config: Config): Catalog =>
  catalogOf(config, Object.keys(config.judges), languageModelsOf(config));

/** A judge elsewhere: made when it is first needed, so that a key that is missing is missed by nobody else. */
class Elsewhere {
  readonly known: Known;
  readonly #id: string;
  readonly #config: Config;
  #opened: Opened | undefined;
  #judge: VlmJudge | undefined;

  constructor(id: string, config: Config) {
    this.#id = id;
    this.#config = config;
    this.known = {
      manifest: { id, version: VLM_VERSION, aspects: VLM_ASPECTS, reward: VLM_REWARD },
      folder: calibrationFolder(config.dataDir),
    };
  }

  get unready(): string | null {
    return this.#judge ? this.#judge.fault : 'it is not loaded';
  }

  /** @throws USAGE, TOKEN_UNREADABLE */
  open(): Opened {
    this.#opened ??= this.#make();
    return this.#opened;
  }

  info(): ScorerInfo {
    const { scorer, judges } = this.#config;
    const { url, model, critique } = judges[this.#id]!;
    const { id, version } = this.known.manifest;
    return {
      ...{ id, version, title: `${model} at ${bare(url)}`, license: 'that of the model', backend: 'chat' },
      ...{ folder: this.known.folder, default: scorer === id || scorer === refOf(this.known.manifest) },
      ...{ loaded: this.#judge !== undefined, variant: critique ? 'critique' : 'plain' },
      ...{ provider: 'elsewhere', providerNotes: [], problem: this.#judge?.fault ?? null },
      notes: this.#opened?.notes ?? [],
      ...{ aspects: ['quality', 'alignment'], needsPrompt: false, graphs: [] },
    };
  }

  #make(): Opened {
    const [id, { dataDir, judges }] = [this.#id, this.#config];
    const { provider, notes } = providerOf(id, this.#config);
    const { maxSide, critique } = judges[id]!;
    const judge = new VlmJudge({ id, provider, maxSide, critique, dataDir });
    this.#judge = judge;
    const { stamp, domain, lack } = judge;
    return {
      ...{ manifest: this.known.manifest, provider: provider.url, stamp, domain },
      get fault() {
        return judge.fault;
      },
      notes: [...notes, ...(lack === null ? [] : [`${id}: ${lack}: scores without percentile and interval`])],
      asksElsewhere: judge.asksElsewhere,
      judge: (pixels, prompt, signal) => judge.judge(pixels, prompt, signal),
    };
  }
}

/** Without what may be secret. */
const bare = (url: string): string => {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
};

/** @throws CONFIG_INVALID when a judge has the name of an installed scorer */
export function rosterOf(config: Config): Roster {
  const ids = Object.keys(config.judges);
  const catalog = scorersOf(config);
  if (ids.length === 0) return catalog;
  checkNames(ids, catalog);
  const all = ids.map((id) => new Elsewhere(id, config));
  const elsewhere = (name = config.scorer) =>
    all.find(({ known: { manifest } }) => name === manifest.id || name === refOf(manifest));
  const { models, broken, refused, onTrouble, close } = catalog;
  return {
    ...{ models, broken, refused, onTrouble, close },
    list: () => [...catalog.list(), ...all.map((one) => one.info())],
    find: (name) => elsewhere(name)?.known ?? catalog.find(name),
    open: async (name) => elsewhere(name)?.open() ?? catalog.open(name),
    get width() {
      const one = elsewhere();
      return one ? 2 * config.judges[one.known.manifest.id]!.concurrency : catalog.width;
    },
    release: (name) => (elsewhere(name) ? { released: 0, pending: 0 } : catalog.release(name)),
    unready: (name) => {
      const one = elsewhere(name);
      return one ? one.unready : catalog.unready(name);
    },
  };
}

function checkNames(ids: string[], catalog: Catalog): void {
  const taken = catalog.models().find(({ manifest }) => ids.includes(manifest.id));
  if (!taken) return;
  throw fail('CONFIG_INVALID', {
    ...{ source: 'judges', key: `judges.${taken.manifest.id}`, found: 'the name of an installed scorer' },
    expected: 'another name',
  });
}
