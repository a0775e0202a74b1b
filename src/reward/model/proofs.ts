/**
 * Which scorers have shown on this machine that they give the scores they were made with. Kept in a small file of the
 * data folder; without one that can be read or written, scorers are tested at each start.
 */
import { hash } from 'node:crypto';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readSmallJson, writeSmallJson } from '../../lib/small-json.ts';
import { driverFacts } from '../graph/driver.ts';
import { runtimeVersion } from '../graph/runtime.ts';
import type { ModelFolder } from './manifest.ts';
import { runtimeFiles } from './model-files.ts';

const proofSchema = z.object({
  key: z.string(),
  scorer: z.string(),
  provider: z.string(),
  /** Most images of a batch that pay there; absent on the CPU. */
  batch: z.int().min(1).optional(),
  at: z.string(),
});
type Proof = z.infer<typeof proofSchema>;

export interface Proofs {
  find(key: string): Proof | undefined;
  add(key: string, about: Pick<Proof, 'scorer' | 'provider' | 'batch'>): void;
}

/** More than anyone has scorers and drivers; the oldest go first. */
const MOST = 64;

const fileSchema = z.object({
  version: z.literal(1),
  passed: z.array(proofSchema),
});

/** @param dataDir absent: nothing is remembered */
export function openProofs(dataDir: string | undefined): Proofs {
  const path = dataDir && join(dataDir, 'tested-scorers.json');
  return {
    find: (key) => (path === undefined ? undefined : read(path).find((proof) => proof.key === key)),
    add(key, about) {
      if (path === undefined) return;
      const others = read(path).filter((proof) => proof.key !== key);
      const passed = [...others, { key, ...about, at: new Date().toISOString() }].slice(-MOST);
      writeSmallJson(path, { version: 1, passed });
    },
  };
}

const read = (path: string): Proof[] => readSmallJson(path, fileSchema)?.passed ?? [];

/** Whatever may change a score: the files of the scorer, the golden scores, the provider, its driver, and what runs it. */
export function proofKey(
  model: ModelFolder,
  variant: string,
  provider: string,
  precision: string | undefined,
): string {
  const { files, golden } = model.manifest;
  const hashes = [...runtimeFiles(model.manifest, variant), golden].map((file) => files[file]?.sha256);
  const machine = [process.platform, process.arch, process.version, cpus()[0]?.model];
  const below = provider === 'cpu' ? [] : driverFacts();
  return hash(
    'sha256',
    JSON.stringify([hashes, variant, provider, precision, runtimeVersion(), machine, below]),
  );
}
