/** `assay rejects`: what is in the reject bin, putting it back, and deleting it for good. */
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fail } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { openRejectBin, type Rejected } from '../files/rejects/bin.ts';
import { createLog } from '../log.ts';
import { openStore, type Store } from '../store/store.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { configOf } from './open.ts';
import { complain } from './terminal/complaint.ts';
import { type Column, table } from './terminal/table.ts';

type Flags = Pick<ScorerFlags, 'config' | 'dataDir'> & { all?: boolean };

const sizeOf = (bytes: number): string =>
  bytes < 1e6
    ? `${(bytes / 1e3).toFixed(1)} kB`
    : bytes < 1e9
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${(bytes / 1e9).toFixed(2)} GB`;
const images = (n: number): string => `${n} image${n === 1 ? '' : 's'}`;
const sum = (list: Rejected[]): number => list.reduce((total, { bytes }) => total + bytes, 0);

const COLUMNS: Column<Rejected>[] = [
  { title: 'id', value: (r) => r.id },
  {
    title: 'image',
    value: (r) => [r.image.subfolder, r.image.filename].filter(Boolean).join('/'),
    flexible: true,
  },
  { title: 'moved', value: (r) => r.movedAt.slice(0, 16).replace('T', ' ') },
  { title: 'quality', value: (r) => r.result.aspects?.quality?.score.toFixed(2) ?? '', align: 'right' },
  { title: 'size', value: (r) => sizeOf(r.bytes), align: 'right' },
  { title: 'reason', value: (r) => r.reasons.join('; '), flexible: true },
];

/** Prints what is in the bin. */
export async function listRejects(flags: Flags & { format: 'table' | 'json' }): Promise<number> {
  const bin = openRejectBin(configOf(flags).rejectDir);
  const rejects = await bin.list();
  if (flags.format === 'json')
    process.stdout.write(`${JSON.stringify({ folder: bin.folder, rejects }, null, 2)}\n`);
  else if (rejects.length === 0) process.stdout.write(`no rejected images in ${bin.folder}\n`);
  else
    process.stdout.write(
      `${table(rejects, COLUMNS, process.stdout)}\n${images(rejects.length)}, ${sizeOf(sum(rejects))} in ${bin.folder}\n`,
    );
  return EXIT.ok;
}

interface Chosen {
  rejects: Rejected[];
  /** Ids that are not in the bin. */
  unknown: string[];
}

function choose(all: Rejected[], ids: string[], flags: Flags): Chosen {
  if (flags.all && ids.length > 0) throw usage('give ids or --all, not both');
  if (!flags.all && ids.length === 0)
    throw usage('name the images by their ids (`assay rejects list`), or give --all');
  if (flags.all) return { rejects: all, unknown: [] };
  const wanted = new Set(ids);
  const rejects = all.filter(({ id }) => wanted.has(id));
  return { rejects, unknown: [...wanted].filter((id) => !rejects.some((r) => r.id === id)) };
}

/** The host's name for a file at `target`, when that lies in the output folder that the image came from. */
function hostFileAt(target: string, { original, image }: Rejected) {
  const depth = image.subfolder === '' ? 0 : image.subfolder.split('/').length;
  const outputs = resolve(original, ...Array<string>(depth + 1).fill('..'));
  const inside = relative(outputs, target);
  if (inside.startsWith('..') || isAbsolute(inside)) return undefined;
  const parts = inside.split(sep);
  return { type: image.type, subfolder: parts.slice(0, -1).join('/'), filename: parts.at(-1)! };
}

/** Noted before the file is there, so that a watch that runs leaves it alone. */
function note(store: Store, target: string, rejected: Rejected): void {
  // Behind a link, the path does not tell the host's name.
  const file = target === rejected.original ? rejected.image : hostFileAt(target, rejected);
  if (file) store.ledger(rejected.host).restored(file, rejected.sha256);
}

/** Tells of a failure, and goes on. @returns whether there was none */
async function attempt(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** Puts images back where they were, or into `--to`. Exit code 3 when one could not be. */
export async function restoreRejects(ids: string[], flags: Flags & { to?: string }): Promise<number> {
  const config = configOf(flags);
  const bin = openRejectBin(config.rejectDir);
  const { rejects, unknown } = choose(await bin.list(), ids, flags);
  const store = openStore({ dataDir: config.dataDir, log: createLog('silent') });
  let failed = unknown.length;
  try {
    for (const id of unknown) complain(fail('REJECT_UNKNOWN', { id, folder: bin.folder }));
    for (const rejected of rejects) {
      const target = flags.to ? join(resolve(flags.to), basename(rejected.original)) : rejected.original;
      const done = await attempt(async () => {
        await bin.checkFree(target);
        note(store, target, rejected);
        await bin.restore(rejected, target);
      });
      if (done) process.stdout.write(`restored ${target}\n`);
      else failed++;
    }
  } finally {
    await store.close();
  }
  return failed > 0 ? EXIT.someFailed : EXIT.ok;
}

const UNITS: Record<string, number> = { h: 3.6e6, d: 8.64e7, w: 6.048e8 };

/** Milliseconds of `30d`, `12h`, `2w`. */
function ageOf(text: string): number {
  const found = /^(\d+)([hdw])$/.exec(text);
  if (!found)
    throw usage(`--older-than is ${text}; expected a number of hours, days or weeks, like 12h, 30d or 2w`);
  return Number(found[1]) * UNITS[found[2]!]!;
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw usage('deleting for good needs --yes where nobody can be asked');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

export interface PurgeFlags extends Flags {
  olderThan?: string;
  yes?: boolean;
}

/** Deletes images of the bin for good, once that is confirmed. */
export async function purgeRejects(ids: string[], flags: PurgeFlags): Promise<number> {
  const before = flags.olderThan === undefined ? undefined : Date.now() - ageOf(flags.olderThan);
  const bin = openRejectBin(configOf(flags).rejectDir);
  // An age alone chooses among all.
  const all = flags.all || (before !== undefined && ids.length === 0);
  const { rejects: chosen, unknown } = choose(await bin.list(), ids, { ...flags, all });
  const rejects = chosen.filter(({ movedAt }) => before === undefined || Date.parse(movedAt) < before);
  for (const id of unknown) complain(fail('REJECT_UNKNOWN', { id, folder: bin.folder }));
  const what = `${images(rejects.length)} (${sizeOf(sum(rejects))})`;
  if (rejects.length > 0 && !flags.yes && !(await confirmed(`Delete ${what} in ${bin.folder} for good?`))) {
    process.stdout.write('nothing was deleted\n');
    return EXIT.ok;
  }
  const done: Rejected[] = [];
  for (const rejected of rejects) if (await attempt(() => bin.purge(rejected))) done.push(rejected);
  process.stdout.write(`deleted ${images(done.length)}, ${sizeOf(sum(done))} freed\n`);
  return unknown.length > 0 || done.length < rejects.length ? EXIT.someFailed : EXIT.ok;
}
