/** What an agent asks of a search, as arguments of the command line. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, reasonOf } from '../../errors/error.ts';
import { createFolder } from '../../lib/folder.ts';
import type { Folders } from './folders.ts';

const value = z.union([z.string(), z.number(), z.boolean()]);

export const vary = z
  .record(
    z.string().regex(/^[^=]+\.[^=.]+$/, 'expected NODE.INPUT, as 3.cfg'),
    z.union([
      z.array(value).min(1).max(1000),
      z.strictObject({ low: z.number(), high: z.number() }),
      z.null(),
    ]),
  )
  .describe(
    'what is varied beside the seed, by NODE.INPUT of the workflow: a list of values, {low, high}, or null for a seed to be varied alone',
  );

export type Vary = z.output<typeof vary>;

/** `--name=value` for what is given: a value that begins with a dash is no option. */
export const flag = (name: string, given: string | number | undefined): string[] =>
  given === undefined ? [] : [`--${name}=${given}`];

/** Texts that the command line would take apart. */
const needsFile = (values: readonly (string | number | boolean)[]): boolean =>
  values.some((one) => typeof one === 'string' && /[,@]|\.\./.test(one));

/** Texts with commas go by a file in the folder of the study, a line each. @throws OUTPUT_UNWRITABLE, BAD_REQUEST */
export async function varyArgs(varied: Vary, folder: string): Promise<string[]> {
  const args: string[][] = [];
  for (const [name, values] of Object.entries(varied)) {
    if (values === null) args.push(flag('vary', name));
    else if (!Array.isArray(values)) args.push(flag('vary', `${name}=${values.low}..${values.high}`));
    else if (!needsFile(values)) args.push(flag('vary', `${name}=${values.join(',')}`));
    else args.push(flag('vary', `${name}=@${await linesFile(name, values, folder)}`));
  }
  return args.flat();
}

async function linesFile(name: string, values: readonly (string | number | boolean)[], folder: string) {
  const texts = values.map(String);
  if (texts.some((text) => /[\r\n]/.test(text) || text.trim() === ''))
    throw fail('BAD_REQUEST', { reason: `vary.${name}: a text is one line, and not empty` });
  const path = join(folder, `vary-${name.replace(/[^\w.-]/g, '_')}.txt`);
  try {
    createFolder(folder);
    await writeFile(path, `${texts.join('\n')}\n`);
  } catch (cause) {
    throw fail('OUTPUT_UNWRITABLE', { output: path, reason: reasonOf(cause) }, { cause });
  }
  return path;
}

/** Where a search goes that none was named for. */
const folderNow = (kind: string): string =>
  join(`assay-${kind}`, new Date().toISOString().slice(0, 19).replaceAll(':', '-'));

/** The folder of a study: named, or new in the first allowed folder. @throws PATH_NOT_ALLOWED */
export const studyFolder = (out: string | undefined, kind: string, folders: Folders): Promise<string> =>
  folders.place(out ?? folderNow(kind));
