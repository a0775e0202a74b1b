/** The installed scorers: finds model folders, loads each at most once, on first use. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssayError, fail, nearest, toAssayError } from '../errors.ts';
import type { ScorerInfo } from '../types.ts';
import { createEmbeddingCache } from './embeddings.ts';
import { type ModelFolder, readManifest, refOf } from './manifest.ts';
import { createPreparer } from './prepare.ts';
import { describeScorer, openScorer, type Scorer, type ScorerOptions } from './scorer.ts';
import { newestFirst } from './version.ts';

/** `models/` of the package: the scorers that ship with it. */
export const BUILT_IN_MODELS = fileURLToPath(new URL('../../models', import.meta.url));

export interface CatalogOptions extends ScorerOptions {
  /**
   * Folders that hold model folders. The first one wins when a scorer repeats; an id alone means the newest version in
   * the first folder that has any.
   */
  modelDirs: readonly string[];
  /** Scorer used when a request names none: `id` or `id@version`. */
  defaultId: string;
  /** Memory for what scorers made of a prompt or an image alone. */
  embeddingCacheBytes?: number;
}

export interface Catalog {
  /** Every readable model folder; the first one of an id is what the id alone means. */
  models(): ModelFolder[];
  /** The same in words for people and clients, in the same order. */
  list(): ScorerInfo[];
  /** Folders with an unreadable manifest, and what is wrong with them. */
  broken(): AssayError[];
  /** @param name `id` or `id@version`. @throws UNKNOWN_SCORER */
  find(name?: string): ModelFolder;
  /** The loaded scorer; loads it when needed. A failed load is forgotten, so the next call tries again. */
  open(name?: string): Promise<Scorer>;
  close(): Promise<void>;
}

/** By id, then the newest version first. */
const inOrder = ({ manifest: a }: ModelFolder, { manifest: b }: ModelFolder): number =>
  a.id.localeCompare(b.id, 'en') || newestFirst(a.version, b.version);

/** The readable model folders in `dir`, in order. */
function readFolders(dir: string, onBroken: (error: AssayError) => void): ModelFolder[] {
  if (!existsSync(dir)) return [];
  const folders = readdirSync(dir)
    .map((name) => join(dir, name))
    .filter((folder) => existsSync(join(folder, 'manifest.json')));
  const read = folders.flatMap((folder) => {
    try {
      return [readManifest(folder)];
    } catch (error) {
      onBroken(toAssayError(error));
      return [];
    }
  });
  return read.sort(inOrder);
}

/** Models by `id@version`, in the order of search. */
function scan(modelDirs: readonly string[]): { models: Map<string, ModelFolder>; broken: AssayError[] } {
  const models = new Map<string, ModelFolder>();
  const broken: AssayError[] = [];
  for (const model of modelDirs.flatMap((dir) => readFolders(dir, (error) => broken.push(error)))) {
    const ref = refOf(model.manifest);
    if (!models.has(ref)) models.set(ref, model);
  }
  return { models, broken };
}

/** Reads the manifests in `modelDirs`; loads no weights. */
export function openCatalog(catalogOptions: CatalogOptions): Catalog {
  const embeddings = createEmbeddingCache(catalogOptions.embeddingCacheBytes ?? 0);
  const preparer = createPreparer();
  const options = { ...catalogOptions, embeddings, preparer };
  const { models, broken } = scan(options.modelDirs);
  const opened = new Map<string, Promise<Scorer>>();
  const loaded = new Map<string, Scorer>();

  const all = [...models.values()];
  const byName = (name: string): ModelFolder | undefined =>
    models.get(name) ?? all.find(({ manifest }) => manifest.id === name);

  const find = (name = options.defaultId): ModelFolder => {
    const model = byName(name);
    if (model) return model;
    const refs = [...models.keys()];
    const near = nearest(name, [...all.map(({ manifest }) => manifest.id), ...refs]);
    const hint = near ? ` (did you mean "${near}"?)` : '';
    throw fail('UNKNOWN_SCORER', { id: name, hint, known: refs.join(', ') || 'none' });
  };

  const load = async (model: ModelFolder): Promise<Scorer> => {
    const ref = refOf(model.manifest);
    try {
      const scorer = await openScorer(model, options);
      loaded.set(ref, scorer);
      return scorer;
    } catch (error) {
      opened.delete(ref);
      throw error;
    }
  };

  return {
    models: () => all,
    list: () =>
      [...models].map(([ref, model]) => {
        const live = loaded.get(ref);
        const state = live && {
          provider: live.provider,
          providerNotes: live.notes,
          variant: live.stamp.variant,
          graphs: live.graphs,
        };
        return {
          ...describeScorer(model, options),
          default: model === byName(options.defaultId),
          loaded: !!live,
          ...state,
        };
      }),
    broken: () => broken,
    find,
    async open(name) {
      const model = find(name);
      const key = refOf(model.manifest);
      const promise = opened.get(key) ?? load(model);
      opened.set(key, promise);
      return promise;
    },
    async close() {
      const scorers = await Promise.allSettled(opened.values());
      opened.clear();
      loaded.clear();
      const open = scorers.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : []));
      await Promise.all([...open, preparer].map((part) => part.close()));
    },
  };
}
