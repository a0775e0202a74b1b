/**
 * Which scorers have shown on this machine that they give the scores they were made with. Kept in a small file of the
 * data folder; without one that can be read or written, scorers are tested at each start.
 */
import { hash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { createFolder } from '../folder.ts';
import type { ModelFolder } from './manifest.ts';
import { runtimeFiles } from './model-files.ts';
import { runtimeVersion } from './providers.ts';

export interface Proofs {
  has(key: string): boolean;
  add(key: string, about: { scorer: string; provider: string }): void;
}

/** More than anyone has scorers and drivers; the oldest go first. */
const MOST = 64;
/** A file larger than this is none of ours. */
const MOST_BYTES = 64 * 2 ** 10;

const fileSchema = z.object({
  version: z.literal(1),
  passed: z.array(z.object({ key: z.string(), scorer: z.string(), provider: z.string(), at: z.string() })),
});
type Passed = z.infer<typeof fileSchema>['passed'];

/** @param dataDir absent: nothing is remembered */
export function openProofs(dataDir: string | undefined): Proofs {
  const path = dataDir && join(dataDir, 'tested-scorers.json');
  return {
    has: (key) => path !== undefined && read(path).some((proof) => proof.key === key),
    add(key, about) {
      if (path === undefined) return;
      const others = read(path).filter((proof) => proof.key !== key);
      write(path, [...others, { key, ...about, at: new Date().toISOString() }].slice(-MOST));
    },
  };
}

function read(path: string): Passed {
  try {
    if (statSync(path).size > MOST_BYTES) return [];
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).passed;
  } catch {
    return [];
  }
}

/** Written aside, then put in place: a reader never sees half of it. Whoever cannot write tests again. */
function write(path: string, passed: Passed): void {
  const own = `${path}.${process.pid}`;
  try {
    createFolder(dirname(path), 0o700);
    writeFileSync(own, `${JSON.stringify({ version: 1, passed }, null, 1)}\n`, { mode: 0o600 });
    renameSync(own, path);
  } catch {
    discard(own);
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // it was never there
  }
}

/** Whatever may change a score: the files of the scorer, the golden scores, the provider, its driver, and what runs it. */
export function proofKey(model: ModelFolder, variant: string, provider: string): string {
  const { files, golden } = model.manifest;
  const hashes = [...runtimeFiles(model.manifest, variant), golden].map((file) => files[file]?.sha256);
  const machine = [process.platform, process.arch, process.version, cpus()[0]?.model, driverOf(provider)];
  return hash('sha256', JSON.stringify([hashes, variant, provider, runtimeVersion(), machine]));
}

/** The version of the driver below a provider; on the CPU there is none. */
function driverOf(provider: string): string {
  if (provider === 'cpu') return '';
  try {
    return readFileSync('/proc/driver/nvidia/version', 'latin1').split('\n')[0]!;
  } catch {
    return release();
  }
}
