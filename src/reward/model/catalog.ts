/** The installed scorers: finds model folders, loads each at most once, on first use. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import { type AssayError, fail, reasonOf, toAssayError } from '../../errors/error.ts';
import { nearest } from '../../errors/nearest.ts';
import type { Judge, Judges } from '../../types/judge.ts';
import type { RefusedScorer, Released, ScorerInfo } from '../../types/scorer.ts';
import { createEmbeddingCache } from '../graph/embeddings.ts';
import { createPreparer } from '../image/prepare.ts';
import type { Scorer, ScorerOptions } from '../scorer.ts';
import { Installed } from './installed.ts';
import { type Manifest, type ModelFolder, readManifest, readModelJson, refOf } from './manifest.ts';
import { batchSize, describeScorer, planLoad } from './plan.ts';
import { openProofs } from './proofs.ts';
import { newestFirst } from './version.ts';

/** `models/` of the package: the scorers that ship with it. */
export const BUILT_IN_MODELS = fileURLToPath(new URL('../../../models', import.meta.url));

export interface CatalogOptions extends ScorerOptions {
  /**
   * Folders that hold model folders. The first one wins when a scorer repeats; an id alone means the newest version in
   * the first folder that has any.
   */
  modelDirs: readonly string[];
  /** Scorer used when a request names none: `id` or `id@version`. */
  defaultId: string;
  /** Names of judges that have no model folder, for messages. */
  elsewhere?: readonly string[];
  /** Memory for what scorers made of a prompt or an image alone. */
  embeddingCacheBytes?: number;
}

export interface Catalog extends Judges {
  /** Every readable model folder; the first one of an id is what the id alone means. */
  models(): ModelFolder[];
  /** The same in words for people and clients, in the same order. */
  list(): ScorerInfo[];
  /** Folders that cannot be looked into, or have an unreadable manifest, and what is wrong with them. */
  broken(): AssayError[];
  /** The same in words for people and clients, in the same order. */
  refused(): RefusedScorer[];
  /** @param name `id` or `id@version`. @throws UNKNOWN_SCORER */
  find(name?: string): ModelFolder;
  /** The loaded scorer; loads it when needed. After a failed load, a later call tries again. */
  open(name?: string): Promise<Scorer>;
  /** Why the scorer does not score at once; null: it does. @throws UNKNOWN_SCORER */
  unready(name?: string): string | null;
  /** Has one listener told of workers that are lost, and of loads that fail after the first. */
  onTrouble(listener: (trouble: string) => void): void;
  /** @param name `id` or `id@version`. @throws UNKNOWN_SCORER */
  release(name: string): Released;
  close(): Promise<void>;
}

/** What is known of a judge by its name, be it a model folder or elsewhere. */
export interface Known {
  manifest: Pick<Manifest, 'id' | 'version' | 'aspects' | 'reward' | 'policy'>;
  /** Its model folder, or that of its calibration. */
  folder: string;
}

/** A judge that is ready, and what people are told of it. */
export interface Opened extends Judge {
  manifest: Known['manifest'];
  /** What it runs on. */
  provider: string;
  notes: string[];
}

/** All judges there are: model folders, and models elsewhere. */
export interface Roster extends Omit<Catalog, 'find' | 'open'> {
  /** @param name `id` or `id@version`. @throws UNKNOWN_SCORER */
  find(name?: string): Known;
  open(name?: string): Promise<Opened>;
}

/** By id, then the newest version first. */
const inOrder = ({ manifest: a }: ModelFolder, { manifest: b }: ModelFolder): number =>
  a.id === b.id ? newestFirst(a.version, b.version) : a.id < b.id ? -1 : 1;

/** A model folder whose manifest is refused. */
interface Refused {
  folder: string;
  /** What a user may call it by: the name of the folder, and what its manifest says. */
  names: string[];
  error: AssayError;
}

function namesIn(folder: string): string[] {
  try {
    const { id, version } = readModelJson(folder, 'manifest.json', z.looseObject({ id: z.string() }));
    return [basename(folder), id, `${id}@${version}`];
  } catch {
    return [basename(folder)];
  }
}

function foldersIn(dir: string, onRefused: (refused: Refused) => void): string[] {
  try {
    return readdirSync(dir);
  } catch (cause) {
    const error = fail('MODELS_UNREADABLE', { path: dir, reason: reasonOf(cause) }, { cause });
    onRefused({ folder: dir, names: [], error });
    return [];
  }
}

/** A model folder that was copied in part: its graphs are there, and what says what they are is not. */
function holdsGraphs(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name.endsWith('.onnx'));
  } catch {
    return false; // a file, or none of our business
  }
}

/** The readable model folders in `dir`, in order. */
function readFolders(dir: string, onRefused: (refused: Refused) => void): ModelFolder[] {
  const folders = foldersIn(dir, onRefused)
    .map((name) => join(dir, name))
    .filter((folder) => existsSync(join(folder, 'manifest.json')) || holdsGraphs(folder));
  const read = folders.flatMap((folder) => {
    try {
      return [readManifest(folder)];
    } catch (error) {
      onRefused({ folder, names: namesIn(folder), error: toAssayError(error) });
      return [];
    }
  });
  return read.sort(inOrder);
}

interface Found {
  /** By `id@version`, in the order of search. */
  models: Map<string, ModelFolder>;
  /** Folders of the same `id@version` that come later, by that. */
  hidden: Map<string, string[]>;
  refused: Refused[];
}

function scan(modelDirs: readonly string[]): Found {
  const models = new Map<string, ModelFolder>();
  const hidden = new Map<string, string[]>();
  const refused: Refused[] = [];
  for (const model of modelDirs.flatMap((dir) => readFolders(dir, (one) => refused.push(one)))) {
    const ref = refOf(model.manifest);
    const first = models.get(ref);
    if (!first) models.set(ref, model);
    else if (first.folder !== model.folder) hidden.set(ref, [...(hidden.get(ref) ?? []), model.folder]);
  }
  return { models, hidden, refused };
}

/** What a scorer is now, for people and clients. */
function infoOf(installed: Installed, options: CatalogOptions, isDefault: boolean): ScorerInfo {
  const { live, notes } = installed;
  const planned = describeScorer(installed.model, options);
  const state = live && {
    provider: live.provider,
    providerNotes: live.notes,
    variant: live.stamp.variant,
    graphs: live.graphs,
  };
  const problem = planned.problem ?? installed.problem;
  return { ...planned, default: isDefault, loaded: !!live, ...state, problem, notes };
}

const refusalOf = ({ folder, names, error: { code, message, fix } }: Refused): RefusedScorer => ({
  ...{ id: names[1] ?? names[0] ?? null, folder, state: 'refused', error: { code, message, fix } },
});

/** Folder that `models import` copies to. */
export const importedModels = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'models');

/**
 * The scorers of a configuration: its own folders, what ships, what was imported.
 *
 * @param elsewhere names of judges that have no model folder, for messages
 * @param languageModel the one that a scorer of that id judges by; without it, such scorers do not load
 */
export const catalogOf = (
  config: Config,
  elsewhere: readonly string[] = [],
  languageModel?: CatalogOptions['languageModel'],
): Catalog =>
  openCatalog({
    ...{ ...config, languageModel },
    // What ships comes before what was imported: an import never changes what a plain id means.
    modelDirs: [...config.modelDirs, BUILT_IN_MODELS, ...[importedModels(config)].filter(existsSync)],
    defaultId: config.scorer,
    elsewhere,
  });

/** Reads the manifests in `modelDirs`; loads no weights. */
export function openCatalog(catalogOptions: CatalogOptions): Catalog {
  const embeddings = createEmbeddingCache(catalogOptions.embeddingCacheBytes ?? 0);
  const preparer = createPreparer();
  let listener = (_trouble: string): void => {};
  const options = {
    ...catalogOptions,
    embeddings,
    preparer,
    onTrouble: (trouble: string) => listener(trouble),
  };
  const { models, hidden, refused } = scan(options.modelDirs);
  const proofs = openProofs(options.dataDir);
  const all = [...models.values()].map((model) => new Installed(model, options, proofs));

  const byName = (name: string): Installed | undefined =>
    all.find(({ ref }) => ref === name) ?? all.find(({ model }) => model.manifest.id === name);

  const find = (name = options.defaultId): Installed => {
    const found = byName(name);
    if (found) return found;
    const refs = all.map(({ ref }) => ref);
    const broken = refused.find(({ names }) => names.includes(name));
    const { elsewhere = [] } = options;
    const near = nearest(name, [...all.map(({ model }) => model.manifest.id), ...refs, ...elsewhere]);
    const meant = near ? ` (did you mean "${near}"?)` : '';
    const hint = broken ? ` (its folder is refused: ${broken.error.message})` : meant;
    throw fail('UNKNOWN_SCORER', { id: name, hint, known: [...refs, ...elsewhere].join(', ') || 'none' });
  };

  return {
    models: () => all.map(({ model }) => model),
    list() {
      const chosen = byName(options.defaultId);
      return all.map((installed) => {
        const info = infoOf(installed, options, installed === chosen);
        const others = hidden.get(installed.ref) ?? [];
        return {
          ...info,
          notes: [...info.notes, ...others.map((folder) => `not used, for it comes later: ${folder}`)],
        };
      });
    },
    broken: () => refused.map(({ error }) => error),
    refused: () => refused.map(refusalOf),
    find: (name) => find(name).model,
    open: async (name) => find(name).open(),
    /** What the workers have in work and in hand, and as many in preparation; or the same of a language model elsewhere. */
    get width() {
      const { model, live } = find();
      const { id, language } = model.manifest;
      const most = language && options.languageModel?.(id)?.concurrency;
      if (most !== undefined) return 2 * most;
      const batch = live?.batch ?? batchSize(model.manifest, planLoad(model, options).providers[0]!);
      return 2 * options.workers * batch;
    },
    release: (name) => find(name).live?.release() ?? { released: 0, pending: 0 },
    unready: (name) => find(name).unready,
    onTrouble(told) {
      listener = told;
    },
    async close() {
      await Promise.all([...all, preparer].map((part) => part.close()));
    },
  };
}
