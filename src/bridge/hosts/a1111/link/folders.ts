/** Where the host writes its images, by its own options. */
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import type { ToldFolders } from '../../../../host.ts';
import type { Http } from '../../link/http.ts';
import type { Fork } from './fork.ts';

const path = z.string().nullish().catch(null);

const optionsSchema = z.looseObject({
  outdir_samples: path,
  outdir_txt2img_samples: path,
  outdir_img2img_samples: path,
  outdir_extras_samples: path,
  outdir_control_samples: path,
});
const flagsSchema = z.looseObject({ data_dir: path });
const sysinfoSchema = z.looseObject({ 'Script path': path });

const SYSINFO = '/internal/sysinfo';

/** Of each route by itself; one folder may stand for all of them. */
const EACH = [
  'outdir_txt2img_samples',
  'outdir_img2img_samples',
  'outdir_extras_samples',
  'outdir_control_samples',
] as const;

const isGiven = (text: string | null | undefined): text is string => typeof text === 'string' && text !== '';

/** One folder for all stands in place of the others; SD.Next has theirs below it. */
function namesIn(options: z.infer<typeof optionsSchema>, name: Fork['name']): string[] {
  const each = EACH.map((key) => options[key]).filter(isGiven);
  const { outdir_samples: all } = options;
  if (!isGiven(all)) return [...new Set(each)];
  if (name !== 'SD.Next') return [all];
  return [...new Set(each.map((folder) => (isAbsolute(folder) ? folder : join(all, folder))))];
}

/** The deepest folder above all of them. */
function above(folders: readonly string[]): string {
  const [first, ...others] = folders;
  let root = first!;
  for (const folder of others)
    while (relative(root, folder).startsWith('..') && dirname(root) !== root) root = dirname(root);
  return root;
}

/** Where relative ones lie: below its data folder, or where it was started. Forge may fail to tell its flags. */
async function baseOf(http: Http, { routes }: Fork, signal: AbortSignal): Promise<string | null> {
  const flags = await http.getJson('/sdapi/v1/cmd-flags', flagsSchema, signal).catch(() => null);
  signal.throwIfAborted();
  if (isGiven(flags?.data_dir)) return flags.data_dir;
  if (!routes?.has(SYSINFO)) return null;
  return (await http.getJson(`${SYSINFO}?attachment=false`, sysinfoSchema, signal))['Script path'] ?? null;
}

/** Null where it does not tell them. */
export async function readFolders(http: Http, fork: Fork, signal: AbortSignal): Promise<ToldFolders | null> {
  if (fork.routes && !fork.routes.has('/sdapi/v1/options')) return null;
  const options = await http.getJson('/sdapi/v1/options', optionsSchema, signal);
  const names = namesIn(options, fork.name);
  if (names.length === 0) return null;
  const base = names.every((name) => isAbsolute(name)) ? null : await baseOf(http, fork, signal);
  const hasBase = isGiven(base) && isAbsolute(base);
  if (!hasBase && !names.every((folder) => isAbsolute(folder))) return { root: null, images: names };
  const images = names.map((folder) => resolve(hasBase ? base : '/', folder));
  return { root: above(images), images };
}
