/** What a container engine does to a process, without one: process 1, no name, no home, nothing to write but one folder. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

/** A user id that no list of users names. */
const USER = '12345';

const AS_USER = [
  'setpriv',
  '--reuid',
  USER,
  '--regid',
  USER,
  '--clear-groups',
  '--no-new-privs',
  '--bounding-set=-all',
];
const APART = ['--mount', '--pid', '--fork'];

/** Why this cannot be done here; undefined when it can. `files` must be readable for everyone. */
export function cannotContain(files: string[]): string | undefined {
  if (process.platform !== 'linux') return 'unshare is for Linux';
  const apart = spawnSync('unshare', [...APART, 'mount', '--make-rprivate', '/'], { encoding: 'utf8' });
  if (apart.status !== 0) return `unshare does not work here: ${apart.error?.message ?? apart.stderr.trim()}`;
  const [command, ...args] = [...AS_USER, 'cat', ...files];
  const { status, stderr } = spawnSync(command!, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `another user cannot read this: ${stderr.trim()}`;
}

/** $1: the folder that stays writable. The rest: the command. */
const SCRIPT = `
set -e
mount --make-rprivate /
mount -t proc proc /proc
writable=$1; size=$2; shift 2
mount -t tmpfs -o mode=777,size="$size" tmpfs "$writable"
while read -r _ at _; do
  case $at in "$writable" | /proc* | /sys*) ;; *) mount -o remount,bind,ro "$at" 2>/dev/null || true ;; esac
done < /proc/self/mounts
if touch /tmp/$$ 2>/dev/null; then echo "/tmp can be written" >&2; exit 90; fi
exec "$@"`;

export interface Contained {
  /** What it printed first. */
  line: string;
  stderr(): string;
  /** SIGTERM; its exit code, or null when it had to be killed. */
  stop(): Promise<number | null>;
}

interface Conditions {
  /** A folder of the caller's, which becomes a disk of `bytes` for everyone; all else is read-only. */
  disk: string;
  bytes: number;
  env: Record<string, string>;
}

/** Sends a signal to the process inside: a child of `unshare`, which only waits for it. */
function signal({ pid, exitCode }: ChildProcess, name: NodeJS.Signals): void {
  if (exitCode !== null) return;
  const [inside] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  if (inside) process.kill(Number(inside), name);
}

/** Starts a command as process 1 of a world of its own and waits for its first line. */
export async function contained(command: string[], { disk, bytes, env }: Conditions): Promise<Contained> {
  const inside = [...AS_USER, 'env', '-i', `PATH=${process.env.PATH}`, 'LANG=C'];
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const args = [...APART, 'sh', '-c', SCRIPT, 'sh', disk, String(bytes), ...inside, ...variables, ...command];
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  onTestFinished(async () => {
    signal(child, 'SIGKILL');
    await ended;
  });
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), ended.then(() => [undefined])]);
  if (first[0] === undefined) throw new Error(`it ended before it was ready: ${stderr}`);
  const stop = () => {
    signal(child, 'SIGTERM');
    return ended;
  };
  return { line: String(first[0]), stderr: () => stderr, stop };
}
