/** The installed scorers: finds model folders, loads each at most once, on first use. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AssayError, fail, nearest, toAssayError } from '../errors.ts';
import type { ScorerInfo } from '../types.ts';
import { type ModelFolder, readManifest } from './manifest.ts';
import { describeScorer, openScorer, type Scorer, type ScorerOptions } from './scorer.ts';

/** `models/` of the package: the scorers that ship with it. */
export const BUILT_IN_MODELS = fileURLToPath(new URL('../../models', import.meta.url));

export interface CatalogOptions extends ScorerOptions {
  /** Folders that hold model folders; the first one wins when ids repeat. */
  modelDirs: readonly string[];
  /** Scorer used when a request names none. */
  defaultId: string;
}

export interface Catalog {
  /** Every readable model folder. */
  list(): ScorerInfo[];
  /** Folders with an unreadable manifest, and what is wrong with them. */
  broken(): AssayError[];
  /** @throws UNKNOWN_SCORER */
  find(id?: string): ModelFolder;
  /** The loaded scorer; loads it when needed. A failed load is forgotten, so the next call tries again. */
  open(id?: string): Promise<Scorer>;
  close(): Promise<void>;
}

function scan(modelDirs: readonly string[]): { models: Map<string, ModelFolder>; broken: AssayError[] } {
  const models = new Map<string, ModelFolder>();
  const broken: AssayError[] = [];
  const folders = modelDirs
    .filter((dir) => existsSync(dir))
    .flatMap((dir) => readdirSync(dir, { withFileTypes: true }).map((entry) => join(dir, entry.name)))
    .filter((folder) => existsSync(join(folder, 'manifest.json')));
  for (const folder of folders) {
    try {
      const model = readManifest(folder);
      if (!models.has(model.manifest.id)) models.set(model.manifest.id, model);
    } catch (error) {
      broken.push(toAssayError(error));
    }
  }
  return { models, broken };
}

/** Reads the manifests in `modelDirs`; loads no weights. */
export function openCatalog(options: CatalogOptions): Catalog {
  const { models, broken } = scan(options.modelDirs);
  const opened = new Map<string, Promise<Scorer>>();
  const loaded = new Map<string, Scorer>();

  const find = (id = options.defaultId): ModelFolder => {
    const model = models.get(id);
    if (model) return model;
    const known = [...models.keys()];
    const near = nearest(id, known);
    const hint = near ? ` (did you mean "${near}"?)` : '';
    throw fail('UNKNOWN_SCORER', { id, hint, known: known.join(', ') || 'none' });
  };

  const load = async (model: ModelFolder): Promise<Scorer> => {
    const { id } = model.manifest;
    try {
      const scorer = await openScorer(model, options);
      loaded.set(id, scorer);
      return scorer;
    } catch (error) {
      opened.delete(id);
      throw error;
    }
  };

  return {
    list: () =>
      [...models.values()].map((model) => {
        const { id } = model.manifest;
        const live = loaded.get(id);
        const state = live && {
          provider: live.provider,
          providerNotes: live.notes,
          variant: live.stamp.variant,
        };
        return {
          ...describeScorer(model, options),
          default: id === options.defaultId,
          loaded: !!live,
          ...state,
        };
      }),
    broken: () => broken,
    find,
    async open(id) {
      const model = find(id);
      const key = model.manifest.id;
      const promise = opened.get(key) ?? load(model);
      opened.set(key, promise);
      return promise;
    },
    async close() {
      const scorers = await Promise.allSettled(opened.values());
      opened.clear();
      loaded.clear();
      await Promise.all(scorers.map((s) => (s.status === 'fulfilled' ? s.value.close() : undefined)));
    },
  };
}
