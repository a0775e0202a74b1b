/**
 * Where a command prints to. A file gets its name when all is written: until then, and when the command is cut off,
 * what is there stands beside it under the ending `.part`, and an older file of that name stays as it was.
 */
import { once } from 'node:events';
import {
  closeSync,
  constants,
  createWriteStream,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { finished } from 'node:stream/promises';
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { descriptorOf } from '../../lib/plain-file.ts';
import { extensionOf } from '../../tables/names.ts';
import { IMAGE_EXTENSIONS } from '../../types/image.ts';
import { usage } from '../input/flags.ts';

/** Ending of a file that is not whole. */
export const PART = '.part';

export interface Out {
  stream: NodeJS.WriteStream;
  /** The file as the user named it; null for the terminal. */
  name: string | null;
  /** Waits until what was written is taken; not for a reader that left. @throws OUTPUT_UNWRITABLE */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * Waits until all is written; the terminal stays open.
   *
   * @param whole whether that is all that was asked for: only then an older file is replaced
   * @returns where it is; null for the terminal, and when a run was stopped before there was anything
   * @throws OUTPUT_UNWRITABLE
   */
  close(whole: boolean): Promise<string | null>;
  /** Leaves what there is under its `.part` name, after an error. Nothing once it is closed. */
  abandon(): void;
}

export interface OutOptions {
  /** Write over whatever is there. */
  force?: boolean | undefined;
  /** Go on with what the `.part` file holds, which may replace an older file at any time. */
  append?: boolean | undefined;
}

/** How tables of ours begin, in each format. */
const OURS = [
  /^\s*$/,
  /^\ufeff?name,quality,quality_percentile,/,
  /^\{"id":"([^"\\]|\\.)*","source":/,
  /^\{"source":"([^"\\]|\\.)*","assay":/,
  /^\{\n {2}"(results|files)": \[(\]|$|\n {4}\{\n {6}"(id|source)":)/,
  /^image {2,}(quality|alignment|authenticity|reward|verdict)/,
];
/** Bytes that hold the longest beginning, with the path of an image in it. */
const HEAD = 16_384;

function headOf(path: string): string {
  const head = Buffer.alloc(HEAD);
  const fd = openSync(path, 'r');
  try {
    return head.toString('utf8', 0, readSync(fd, head));
  } finally {
    closeSync(fd);
  }
}

function isOurs(path: string): boolean {
  const head = headOf(path);
  return OURS.some((beginning) => beginning.test(head));
}

/** Faults of the name that was given, not of the place: another disk, or more room, would not help. */
const MISNAMED = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP']);

/** What the file system says, as an error of the table: USAGE for a wrong name, else OUTPUT_UNWRITABLE. */
export function cannotWrite(path: string, cause: unknown): AssayError {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  if (code === undefined || MISNAMED.has(code))
    return usage(`--out: cannot write ${path}: ${reasonOf(cause)}`);
  return fail('OUTPUT_UNWRITABLE', { output: `--out: ${path}`, reason: reasonOf(cause) }, { cause });
}

/** What a path stands for: a link is written through; devices, pipes and what is open already have no name to give. */
export function targetOf(path: string): { target: string; isDevice: boolean } {
  try {
    if (descriptorOf(path) !== undefined) return { target: path, isDevice: true };
    if (!existsSync(path)) return { target: path, isDevice: false };
    const stat = statSync(path);
    if (stat.isDirectory()) throw new Error('it is a folder');
    return { target: realpathSync(path), isDevice: !stat.isFile() };
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

const holdsBytes = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

type Found = 'nothing' | 'ours' | 'foreign';

/** What stands where the results go, and where they stand until they are whole. @throws USAGE, OUTPUT_UNWRITABLE */
function lookAt(path: string, target: string): { there: Found; part: Found } {
  const find = (file: string): Found => (isOurs(file) ? 'ours' : 'foreign');
  const part = target + PART;
  try {
    return {
      there: existsSync(target) ? find(target) : 'nothing',
      part: holdsBytes(part) ? find(part) : 'nothing',
    };
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/** Makes sure that nothing is lost by writing there. @throws USAGE, OUTPUT_UNWRITABLE */
export function checkOut(path: string | undefined, { force, append }: OutOptions = {}): void {
  if (path === undefined || path === '-' || force) return;
  if (IMAGE_EXTENSIONS.includes(extensionOf(path)))
    throw usage(
      `--out ${path}: that is the name of an image; a pattern after --out is filled in by the shell. To write there all the same, add --force`,
    );
  const { target, isDevice } = targetOf(path);
  if (isDevice) return;
  const { there, part } = lookAt(path, target);
  if (there === 'foreign')
    throw usage(`--out ${path}: there is a file that Assay did not write; choose another, or add --force`);
  if (part === 'foreign')
    throw usage(
      `--out ${path}: what is written stands in ${target}${PART} until it is whole, and there is a file that is no table of Assay's; move it away, choose another --out, or add --force`,
    );
  if (!append && part === 'ours')
    throw usage(
      `--out ${path}: ${target}${PART} holds results of a run that was cut off; go on with --resume, or begin anew with --force`,
    );
}

/** Waits for a stream that is full, once for all that wait. */
function drainOf(stream: NodeJS.WriteStream): Out['ready'] {
  let drained: Promise<unknown> | undefined;
  return async (signal) => {
    if (!stream.writableNeedDrain || signal.aborted) return;
    // An error ends the wait, too: the next write tells of it.
    drained ??= once(stream, 'drain', { signal })
      .catch(() => {})
      .finally(() => {
        drained = undefined;
      });
    await drained;
  };
}

const standard = (stream: NodeJS.WriteStream): Out => ({
  stream,
  name: null,
  ready: drainOf(stream),
  close: async () => null,
  abandon() {},
});

/** Its own output is what a process has open already: to open it anew would empty the file behind it. */
function standardAt(path: string | undefined): NodeJS.WriteStream | undefined {
  if (path === undefined || path === '-') return process.stdout;
  const name = descriptorOf(path) ?? '';
  if (/^\/(dev\/(stdout|fd\/1)|proc\/self\/fd\/1)$/.test(name)) return process.stdout;
  if (/^\/(dev\/(stderr|fd\/2)|proc\/self\/fd\/2)$/.test(name)) return process.stderr;
  return undefined;
}

/** Opening a pipe waits for its reader, where no signal is heard; so it is asked first whether there is one. */
function openPipe(file: string): number {
  let probe: number;
  try {
    probe = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    throw new Error('it is a pipe that nothing reads from; start its reader first', { cause: error });
  }
  try {
    return openSync(file, 'a');
  } finally {
    closeSync(probe);
  }
}

function streamTo(path: string, file: string, flags: 'w' | 'a'): NodeJS.WriteStream {
  try {
    const isPipe = statSync(file, { throwIfNoEntry: false })?.isFIFO();
    const fd = isPipe ? openPipe(file) : openSync(file, flags);
    return createWriteStream(file, { fd }) as unknown as NodeJS.WriteStream;
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/** The file, or the terminal. @throws USAGE, OUTPUT_UNWRITABLE */
export function openOut(path: string | undefined, options: OutOptions = {}): Out {
  const open = standardAt(path);
  if (path === undefined || open) return standard(open ?? process.stdout);
  checkOut(path, options);
  const { target, isDevice } = targetOf(path);
  const file = isDevice ? target : target + PART;
  const stream = streamTo(path, file, isDevice || options.append ? 'a' : 'w');
  const ready = drainOf(stream);
  let isOpen = true;
  let broken: Error | undefined;
  stream.on('error', (error) => {
    broken = error;
  });
  /** Gives the file its name, where that is due. */
  const settle = (whole: boolean): string | null => {
    if (!whole && !holdsBytes(file)) {
      rmSync(file);
      return null;
    }
    if (!whole && !options.append && existsSync(target)) return file;
    renameSync(file, target);
    return target;
  };
  const check = () => {
    if (broken) throw cannotWrite(path, broken);
  };
  return {
    stream,
    name: path,
    async ready(signal) {
      check();
      await ready(signal);
    },
    async close(whole) {
      check();
      await finished(stream.end()).catch(check);
      isOpen = false;
      if (isDevice) return target;
      try {
        return settle(whole);
      } catch (cause) {
        throw cannotWrite(path, cause);
      }
    },
    abandon() {
      if (!isOpen) return;
      stream.destroy();
      if (!isDevice && !holdsBytes(file)) rmSync(file, { force: true });
    },
  };
}
