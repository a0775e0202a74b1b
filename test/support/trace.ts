/** Runs a program under strace and tells what of it leaves this machine or its own folders. Linux only. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { tempFolder } from './files.ts';

/** Why programs cannot be traced here; undefined when they can. */
export function cannotTrace(): string | undefined {
  if (process.platform !== 'linux') return 'strace is for Linux';
  const { status, error, stderr } = spawnSync('strace', ['-f', '--seccomp-bpf', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `strace does not work here: ${error?.message ?? stderr.trim()}`;
}

const NETWORK = /^(connect|bind|sendto|sendmsg|sendmmsg)$/;
const CHANGING =
  /^(creat|mkdir|mknod|rename|link|symlink|truncate|unlink|rmdir|f?chmod|l?chown|fchown|utime|utimes|utimens|l?setxattr)(at|at2|2)?$/;
const OPENING = /^(open|openat|openat2)$/;
const WRITING = /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE/;
/** Devices without memory, and what the kernel shows of the process itself. */
const HARMLESS = /^\/dev\/(null|tty|zero|pts\/.*|u?random|shm)$|^\/proc\/(self|\d+)\//;

/** The addresses of a call that mean another machine, or every machine. */
function foreignAddresses(args: string): string[] {
  const v4 = [...args.matchAll(/sin_addr=inet_addr\("([^"]+)"\)/g)].map((m) => m[1]!);
  const v6 = [...args.matchAll(/inet_pton\(AF_INET6, "([^"]+)"/g)].map((m) => m[1]!);
  return [...v4, ...v6].filter((address) => !/^127\.|^::1$|^::ffff:127\./.test(address));
}

/** Absolute paths of a call: its text arguments, each with the folder that it counts from. */
function pathsIn(args: string): string[] {
  // With -y strace writes a folder's path behind its descriptor: openat(AT_FDCWD</tmp>, "a.txt", …)
  const found = args.matchAll(/(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"/g);
  return [...found].map(([, folder = '', path]) => resolve(folder || '/', path!));
}

const isInside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

const isLocal = (path: string, writable: string[]): boolean =>
  HARMLESS.test(path) || writable.some((folder) => isInside(path, folder));

/** Whether a line of the trace does what it should not; attempts that failed count, too. */
function isOffence(line: string, writable: string[]): boolean {
  const [, call, args] = /^\d+ +([a-z]\w*)\((.*)$/.exec(line) ?? [];
  if (!call || !args) return false;
  if (NETWORK.test(call)) {
    const socket = /sun_path="([^"]*)"/.exec(args)?.[1];
    return foreignAddresses(args).length > 0 || (socket !== undefined && !isLocal(socket, writable));
  }
  const writes = OPENING.test(call) ? WRITING.test(args) : CHANGING.test(call);
  return writes && !pathsIn(args).every((path) => isLocal(path, writable));
}

export interface Traced {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Lines of the trace that leave this machine or write elsewhere. */
  offences: string[];
}

interface TraceOptions {
  cwd: string;
  env: Record<string, string>;
  /** What may be written beside `cwd`: folders and files, absolute. */
  writable: string[];
  /** Called with the first line on stdout, for programs that run until they are told to stop. */
  onLine?: (line: string, child: ChildProcess) => Promise<void>;
}

/** -D: the child is the program itself, so that signals reach it; with -y paths are told for descriptors, too. */
const FLAGS = ['-D', '-f', '--seccomp-bpf', '-qq', '-y', '-s', '4096', '-e', 'trace=network,file'];
const LONGEST_MS = 60_000;

/** Runs `command` under strace to its end. */
export async function traced(command: string[], options: TraceOptions): Promise<Traced> {
  const { cwd, env, writable, onLine } = options;
  const log = join(tempFolder(), 'trace');
  const child = spawn('strace', [...FLAGS, '-o', log, ...command], {
    cwd,
    // What io_uring does is no system call that could be seen.
    env: { PATH: process.env.PATH!, UV_USE_IO_URING: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  });
  const out = text(child.stdout!);
  const err = text(child.stderr!);
  if (onLine) createInterface({ input: child.stdout! }).once('line', (line) => void onLine(line, child));
  const [code] = await once(child, 'close');
  const lines = readFileSync(log, 'utf8').split('\n');
  if (lines.length < 10) throw new Error(`nothing was traced: ${err()}`);
  const offences = lines.filter((line) => isOffence(line, writable));
  return { code, stdout: out(), stderr: err(), offences };
}

/** Collects what a stream says. */
function text(stream: Readable): () => string {
  let all = '';
  stream.on('data', (chunk) => {
    all += chunk;
  });
  return () => all;
}
