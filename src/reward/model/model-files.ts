/** The files of a model folder, and the hashes that its manifest has of them. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { z } from 'zod';
import { fail, reasonOf } from '../../errors/error.ts';
import { gistOf } from '../../lib/words.ts';
import { filesOutside } from '../graph/onnx/outside.ts';
import type { Manifest, ModelFolder } from './manifest.ts';

/** Bytes read at a time: weights of published scorers may be larger than memory should hold twice. */
const PART = 2 ** 20;

/** Hex sha256 of a file of the folder, read part by part: others have their turn in between. @throws MODEL_FILE_MISSING, MODEL_FILE_UNREADABLE */
export async function hashFile({ folder }: ModelFolder, file: string): Promise<string> {
  const path = join(folder, file);
  if (!existsSync(path)) throw fail('MODEL_FILE_MISSING', { folder, file });
  try {
    return await hashOf(path);
  } catch (cause) {
    throw fail('MODEL_FILE_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** All parts are read into the same memory: of a stream's, each would be garbage that is soon worth a collection. */
async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const part = Buffer.allocUnsafeSlow(PART);
  const file = await open(path);
  try {
    for (;;) {
      const { bytesRead } = await file.read(part, 0, PART);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(part.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

/**
 * Compares files with the manifest's hashes, and sees that graphs among them read no others.
 *
 * @throws MODEL_FILE_MISSING, MODEL_FILE_UNREADABLE, MODEL_HASH_MISMATCH, MODEL_WEIGHTS_UNLISTED
 */
export async function checkFiles(model: ModelFolder, files: string[]): Promise<void> {
  for (const file of files) {
    const expected = model.manifest.files[file]?.sha256 ?? 'nothing';
    const found = await hashFile(model, file);
    if (found !== expected)
      throw fail('MODEL_HASH_MISMATCH', { file: join(model.folder, file), expected, found });
  }
  const all = Object.values(model.manifest.variants);
  const graphs = new Set(all.flatMap((variant) => Object.values(variant.graphs)));
  for (const file of files.filter((name) => graphs.has(name))) checkWeights(model, file);
}

const weightsBeside = (graph: string): string => `${graph}.data`;

/** @throws MODEL_WEIGHTS_UNLISTED */
function checkWeights({ folder, manifest }: ModelFolder, graph: string): void {
  const path = join(folder, graph);
  const isOnnx = manifest.backend === 'onnx';
  const listed = new Set(isOnnx ? [weightsBeside(graph)] : shardsOf(manifest));
  const file = (isOnnx ? filesOutside(path) : shardsIn(path)).find((name) => {
    const place = posix.join(posix.dirname(graph), name);
    return posix.isAbsolute(name) || !listed.has(place) || !Object.hasOwn(manifest.files, place);
  });
  if (file === undefined) return;
  const expected = isOnnx ? weightsBeside(graph) : 'a .bin';
  throw fail('MODEL_WEIGHTS_UNLISTED', {
    ...{ graph: path, file: gistOf(file), expected },
    manifest: join(folder, 'manifest.json'),
  });
}

const shardsSchema = z.object({ weightsManifest: z.array(z.object({ paths: z.array(z.string()) })) });

/** The weights that a tfjs model reads; of what cannot be read, whoever loads it says more. */
function shardsIn(path: string): string[] {
  try {
    const { weightsManifest } = shardsSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return weightsManifest.flatMap(({ paths }) => paths);
  } catch {
    return [];
  }
}

/** What prompts are read with. */
export const textFiles = ({ text }: Manifest): string[] =>
  text ? [text.tokenizer, ...(text.mending ? [text.mending] : [])] : [];

/** The file of a graph, and that of its weights when they are outside: ONNX files hold no more than 2 GB. */
export function graphFiles(m: Manifest, variant: string, graph: string): string[] {
  const file = m.variants[variant]!.graphs[graph]!;
  return [file, weightsBeside(file)].filter((name) => name === file || Object.hasOwn(m.files, name));
}

const shardsOf = (m: Manifest): string[] => Object.keys(m.files).filter((file) => file.endsWith('.bin'));

/** All files that one variant needs at run time; for tfjs, weight shards, too. */
export function runtimeFiles(m: Manifest, variant: string): string[] {
  const own = m.graphs.flatMap(({ graph }) => graphFiles(m, variant, graph));
  const shards = m.backend === 'tfjs' ? shardsOf(m) : [];
  return [...new Set(own), ...shards, m.calibration, ...textFiles(m)];
}

/** Path of a graph. */
export const graphPath = ({ folder, manifest }: ModelFolder, variant: string, graph: string): string =>
  join(folder, manifest.variants[variant]!.graphs[graph]!);

/** `sha256:<hex>` that names the weights of a variant, from the manifest's hashes of its graph files. */
export function weightsHash(m: Manifest, variant: string): string {
  const hashes = runtimeFiles(m, variant)
    .filter((f) => f !== m.calibration && !textFiles(m).includes(f))
    .map((f) => m.files[f]!.sha256);
  return `sha256:${hashes.length === 1 ? hashes[0] : createHash('sha256').update(hashes.join('\n')).digest('hex')}`;
}
