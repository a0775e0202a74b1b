/**
 * Where compiled modules are kept, which halves the cold start, and what drivers compile for a GPU: inside the data
 * folder, like all that Assay writes.
 * Node's own place would be a folder in /tmp that any user of the machine may have made, and compiled code is believed.
 * It is found before anything loads, so config.ts, which needs zod, cannot be asked.
 */
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { defaultDataDir } from '../../config/data-folder.ts';
import { createFolder } from '../../lib/folder.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The value of `--name value` or `--name=value`, the last one given. */
function flag(argv: readonly string[], name: string): string | undefined {
  const at = argv.findLastIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (at < 0) return undefined;
  return argv[at] === name ? argv[at + 1] : argv[at]!.slice(name.length + 1);
}

/** What a config file says. @throws when it cannot be read, which is complained about later */
function dataDirIn(file: string | undefined): string | undefined {
  // What is not a file can be read once, and not by us.
  if (!file || !statSync(file).isFile()) return undefined;
  const { dataDir } = JSON.parse(readFileSync(file, 'utf8').replace(/^\ufeff/, ''));
  return typeof dataDir === 'string' ? dataDir : undefined;
}

/** The data folder by the order of config.ts: flags, environment, file, defaults. */
const dataDirOf = (argv: readonly string[], env: Environment): string =>
  flag(argv, '--data-dir') ||
  env.ASSAY_DATA_DIR?.trim() ||
  dataDirIn(flag(argv, '--config') || env.ASSAY_CONFIG?.trim()) ||
  defaultDataDir(env);

/** Compiled code that another user could have written is not run. */
function isOurs(folder: string): boolean {
  const { uid, mode } = statSync(folder);
  return process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0);
}

/** The folder, made when absent; undefined where none can be had, and then nothing is cached. */
export function cacheFolder(argv: readonly string[], env: Environment): string | undefined {
  try {
    const dataDir = dataDirOf(argv, env);
    if (!isAbsolute(dataDir)) return undefined; // relative to what is not decided here
    const folder = join(dataDir, 'cache');
    createFolder(folder, 0o700);
    return isOurs(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}
