/**
 * `npm run demo`: makes a few images in `pictures/`, scores them, starts the daemon and asks it for one score.
 * The images stay, for the commands of the README. In a terminal the daemon stays up until Ctrl-C; elsewhere the demo stops it, and says so.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { writePlayground } from './scenes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url));
/** Somebody sits there who can stop the daemon. */
const stays = process.stdout.isTTY;
const say = (text: string): void => void process.stdout.write(`${text}\n`);
process.stdout.on('error', () => {}); // `npm run demo | head`: nobody reads on

function startDaemon(folder: string): ChildProcess {
  const args = [CLI, 'serve', '--port', '0', '--log-level', 'error', '--data-dir', folder];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function addressOf(daemon: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: daemon.stdout! })) {
    say(stays ? line : line.replace('; Ctrl-C stops it', ''));
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return url;
  }
  throw new Error('the daemon ended before it was ready');
}

async function askForScore(url: string, image: string): Promise<void> {
  const form = new FormData();
  form.append('image', new Blob([readFileSync(image)]), 'scene.png');
  const answer = await fetch(`${url}/v1/score`, {
    method: 'POST',
    body: form,
    signal: AbortSignal.timeout(30_000),
  });
  const { results } = (await answer.json()) as {
    results: { reward: number; timings: { totalMs: number } }[];
  };
  const { reward, timings } = results[0]!;
  say(`it answers: scene.png has reward ${reward.toFixed(2)}, scored in ${timings.totalMs.toFixed(0)} ms`);
  if (stays) say(`try it:     curl -F image=@pictures/scene.png ${url}/v1/score`);
}

/** The daemon as a child of the demo, so that Ctrl-C reaches both. */
async function showDaemon(folder: string, image: string): Promise<void> {
  const daemon = startDaemon(folder);
  const ended = once(daemon, 'exit');
  try {
    await askForScore(await addressOf(daemon), image);
    if (stays) await ended;
    else say('stopped again, since this is not a terminal; `npm run assay -- serve` keeps it running');
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
}

/** The images, in the checkout, or where that cannot be written to, in a folder that goes with the demo. */
async function playground(scratch: string): Promise<string[]> {
  try {
    const images = await writePlayground(ROOT);
    say('eight images in pictures/: one good, the others as generation and saving go wrong;');
    say('ratings.csv has made-up ratings of them, and both stay for the commands of the README\n');
    return images;
  } catch (error) {
    say(`eight images, which go with the demo: the checkout cannot be written to (${error})\n`);
    return writePlayground(scratch);
  }
}

const scratch = mkdtempSync(join(tmpdir(), 'assay-demo-'));
process.on('SIGINT', () => {});
try {
  const images = await playground(scratch);
  // Exit code 3 is expected: one file is cut short and cannot be scored.
  const args = [CLI, 'score', ...images.map((path) => basename(path)), '--data-dir', scratch];
  spawnSync(process.execPath, args, { cwd: dirname(images[0]!), stdio: 'inherit' });
  say('\nthe same scorer as a daemon, for UIs, nodes and trainers:');
  await showDaemon(scratch, images[0]!);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
