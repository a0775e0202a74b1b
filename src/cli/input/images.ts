/** Names on the command line to images: files, folders, globs, and `-` for the standard input. */
import { createReadStream, realpathSync, type Stats, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import picomatch from 'picomatch';
import { fail } from '../../errors/error.ts';
import { isRejectBin } from '../../files/rejects/recognise.ts';
import { orAbort } from '../../lib/abort.ts';
import { cannotRead } from '../../lib/plain-file.ts';
import { type FoundFile, type Unreadable, walk } from '../../lib/walk.ts';
import { extensionOf } from '../../tables/names.ts';
import { IMAGE_EXTENSIONS, type ImageInput } from '../../types/image.ts';
import type { ScoreItem } from '../../types/request.ts';
import { usage } from './flags.ts';
import { createSkipped, type Skipped } from './skipped.ts';

/** Name of the standard input. */
const STDIN = '-';
const NEVER = new AbortController().signal;

const isImage = (path: string): boolean => IMAGE_EXTENSIONS.includes(extensionOf(path));

const natural = new Intl.Collator('en', { numeric: true });
/** `a9.png` before `a10.png`. */
export const inNaturalOrder = (a: string, b: string): number => natural.compare(a, b) || (a < b ? -1 : 1);

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw cannotRead(path, error);
  }
}

/** Itself where it cannot be told: reading it says why. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** What was found, and what was not. */
export interface Expanded {
  paths: string[];
  /** Names that led nowhere, and folders that could not be read. */
  failures: { name: string; error: unknown }[];
  skipped: Skipped;
}

/** One expansion: what it has entered and found is not taken twice, by whatever names it is reached. */
interface Search {
  entered: Set<string>;
  except: ReadonlySet<string>;
  /** Path by real path. */
  found: Map<string, string>;
  failures: Expanded['failures'];
  skipped: Skipped;
}

const asFailure = ({ path, reason }: Unreadable) => ({
  name: path,
  error: fail('FILE_UNREADABLE', { path, reason }),
});

/** What was rejected is not judged again, unless the bin itself is named. */
const leaves = (folder: string) => (isRejectBin(folder) ? ('reject bin' as const) : undefined);

/** Adds images in natural order, each once, by its own name where that is among them. @returns whether there were any */
function take({ found }: Search, images: FoundFile[]): boolean {
  images.sort((a, b) => inNaturalOrder(a.path, b.path));
  const named = new Set(images.filter(({ isLink }) => !isLink).map(({ real }) => real));
  for (const { path, real, isLink } of images)
    if (!found.has(real) && !(isLink && named.has(real))) found.set(real, path);
  return images.length > 0;
}

/** @returns whether there are any, new or known */
function takeFolders(search: Search, folders: string[]): boolean {
  const { entered, except, skipped, failures } = search;
  const isKnown = folders.some((folder) => entered.has(realOf(folder)));
  const images: FoundFile[] = [];
  const files = walk(folders, {
    entered,
    except,
    leaves,
    onUnreadable: (unreadable) => failures.push(asFailure(unreadable)),
    onLeftOut: skipped.add,
  });
  for (const file of files)
    if (isImage(file.path)) images.push(file);
    else skipped.add(file.path);
  return take(search, images) || isKnown;
}

/** How far below its base a pattern can match: no further than it has parts, unless it says so. */
const depthOf = (glob: string): number =>
  /\*\*|[{(][^})]*\//.test(glob) ? Number.POSITIVE_INFINITY : glob.split('/').length;

/** Files that a pattern matches; a folder that it matches counts as if it was named. */
function takeGlob(search: Search, given: string): boolean {
  const { base, glob } = picomatch.scan(sep === '\\' ? given.replaceAll('\\', '/') : given);
  const matches = picomatch(glob);
  const isMeant = (path: string) => matches(relative(base, path).split(sep).join('/'));
  const folders: string[] = [];
  const images: FoundFile[] = [];
  const files = walk([base || '.'], {
    except: search.except,
    depth: depthOf(glob),
    leaves,
    onLeftOut: (path, why) => why === 'reject bin' && search.skipped.add(path, why),
    onUnreadable: (unreadable) => search.failures.push(asFailure(unreadable)),
    onFolder: (path) => void (isMeant(path) && folders.push(path)),
  });
  for (const file of files) {
    if (!isMeant(file.path)) continue;
    if (isImage(file.path)) images.push(file);
    else search.skipped.add(file.path);
  }
  const any = take(search, images);
  return takeFolders(search, folders) || any;
}

/** @throws FILE_NOT_FOUND, FILE_UNREADABLE, NO_IMAGES */
function takeName(search: Search, name: string): void {
  if (name === STDIN) return void search.found.set(STDIN, STDIN);
  const stat = statOf(name);
  if (stat && !stat.isDirectory()) {
    const real = realOf(name);
    if (!search.found.has(real)) search.found.set(real, name);
    return;
  }
  if (stat && search.except.has(realOf(name)))
    throw usage(
      `${name} is where images are put, so those in it are not scored: choose another folder for them`,
    );
  if (!stat && !picomatch.scan(name).isGlob) throw fail('FILE_NOT_FOUND', { path: name });
  const failures = search.failures.length;
  const any = stat ? takeFolders(search, [name]) : takeGlob(search, name);
  // That a folder cannot be read says more than that nothing was found.
  if (!any && search.failures.length === failures)
    throw fail('NO_IMAGES', { path: name, extensions: IMAGE_EXTENSIONS.join(' ') });
}

/**
 * Expands each name; one that leads nowhere does not stop the others.
 *
 * @param except folders that are not looked into: results go there
 */
export function expandImages(names: string[], except: string[] = []): Expanded {
  const search: Search = {
    entered: new Set(),
    except: new Set(except.map(realOf)),
    found: new Map(),
    failures: [],
    skipped: createSkipped(),
  };
  for (const name of names)
    try {
      takeName(search, name);
    } catch (error) {
      search.failures.push({ name, error });
    }
  const failures = new Map(search.failures.map((failure) => [failure.name, failure]));
  return { paths: [...search.found.values()], failures: [...failures.values()], skipped: search.skipped };
}

/** What is done to files cannot be done to the standard input, nor to a file that happens to be named `-`. @throws USAGE */
export function refuseStdin(names: readonly string[], flag: string): void {
  if (names.includes(STDIN)) throw usage(`${flag}: - is the standard input, which is no file; name files`);
}

function stdin(): Readable {
  if (process.stdin.isTTY) throw usage('- means the standard input, and nothing comes in');
  return process.stdin;
}

/** A stream or a device may have no end. @throws IMAGE_TOO_HEAVY */
async function readBounded(stream: Readable, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of addAbortSignal(signal, stream)) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: `more than ${maxBytes}`, maxBytes });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readFrom(path: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  if (path === STDIN) return readBounded(stdin(), maxBytes, signal);
  const stats = await stat(path);
  if (!stats.isFile()) return readBounded(createReadStream(path), maxBytes, signal);
  if (stats.size > maxBytes) throw fail('IMAGE_TOO_HEAVY', { bytes: stats.size, maxBytes });
  return readFile(path, { signal });
}

/**
 * The bytes of an image file.
 *
 * @param maxBytes more are not taken into memory
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, IMAGE_TOO_HEAVY
 */
export async function readImage(
  path: string,
  maxBytes = Number.POSITIVE_INFINITY,
  signal: AbortSignal = NEVER,
): Promise<ImageInput> {
  try {
    return { kind: 'encoded', bytes: await readFrom(path, maxBytes, signal) };
  } catch (cause) {
    throw signal.aborted ? cause : cannotRead(path, cause);
  }
}

/**
 * An image file as an item to score; read when its turn comes.
 *
 * @param prompt null: it has none; undefined: the file is looked into
 */
export const fileItem = (path: string, prompt: string | null | undefined): ScoreItem => ({
  id: path,
  source: path,
  prompt,
  promptFromFile: prompt === undefined,
  // A pipe, or a disk far away, may never answer.
  fetch: (signal, maxBytes) => orAbort(readImage(path, maxBytes, signal), signal),
});
