/** Where onnxruntime's files are, found without loading it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

/** Folder of the package onnxruntime-node. */
const packageFolder = (): string =>
  dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));

/** Version of onnxruntime-node. */
export const runtimeVersion = (): string =>
  JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8')).version;

/** Whether a shared library of onnxruntime is there, by a part of its name. */
export function hasLibrary(name: string): boolean {
  const bin = join(packageFolder(), 'bin');
  const napi = existsSync(bin) ? (readdirSync(bin).find((file) => file.startsWith('napi')) ?? '') : '';
  const folder = join(bin, napi, platform(), arch());
  return existsSync(folder) && readdirSync(folder).some((file) => file.includes(name));
}
