/** Attacks a daemon while a good client goes on, and tells what both felt. */
import { Worker } from 'node:worker_threads';
import { quantile, round } from '../../src/bench/figures.ts';
import { cutConnection, keepAlive, sendBody, sendFrames, sendSlowly, type Tally } from './attackers.ts';
import { type Block, startVictim, type Victim } from './daemon.ts';
import { type Random, randomOf } from './random.ts';

export interface Plan {
  seed: number;
  frames: number;
  bodies: number;
  cuts: number;
  slowSenders: number;
  /** Attackers of a kind at once. */
  lanes: number;
  /** Images of the good client before the attack. */
  quietImages: number;
  /** Time for memory to return afterwards. */
  restMs: number;
  /** Flags of `assay serve`. */
  flags: string[];
}

export interface Report {
  seed: number;
  frames: number;
  bodies: Record<string, number>;
  seconds: number;
  /** Null while it lives. */
  diedDuring: string | null;
  exitCode: number | null;
  goodClient: { quietP95Ms: number; attackP95Ms: number; ratio: number; images: number; errors: string[] };
  block: Block;
  rssMb: { before: number; after: number; ratio: number };
  requestBytesAfter: number;
}

interface Image {
  ms: number;
  error: string | null;
}

/** Runs `work` until it has been done `times` times, a few at once. It may count for more than one. */
async function lanes(width: number, times: number, work: () => Promise<number>): Promise<number> {
  let done = 0;
  const lane = async () => {
    while (done < times) {
      const more = await work(); // not in one expression, which would read `done` before it waits
      done += more;
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return done;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(check: () => boolean): Promise<void> {
  while (!check()) await pause(50);
}

/** Has the daemon load all that the attack asks for, so that what is held afterwards was not loaded meanwhile. */
async function warmUp(url: string): Promise<void> {
  const side = 64;
  const data = Buffer.from(Array.from({ length: side * side * 3 }, (_, i) => 128 + 90 * Math.sin(i / 97)));
  const image = { format: 'rgb8', width: side, height: side, data: data.toString('base64') };
  for (const scorer of [undefined, 'assay-lite']) {
    const body = JSON.stringify({ prompt: 'a dog', scorer, items: [{ image }] });
    const headers = { 'content-type': 'application/json' };
    await (await fetch(`${url}/v1/score`, { method: 'POST', headers, body })).arrayBuffer();
  }
}

export async function fuzz(plan: Plan, log: (line: string) => void = () => {}): Promise<Report> {
  const victim = await startVictim(plan.flags);
  const url = `http://${victim.host}:${victim.port}`;
  await warmUp(url);
  const images: Image[] = [];
  const good = new Worker(new URL('./good-client.ts', import.meta.url), { workerData: { url } });
  good.on('message', (image: Image) => images.push(image));
  try {
    await until(() => images.length >= plan.quietImages || victim.isDead);
    const quiet = images.splice(0).slice(1); // the first one connects
    const rssBefore = await victim.gauge('process_resident_memory_bytes');
    victim.startWatching();
    const start = performance.now();
    const { frames, bodies, diedDuring } = await attack(plan, victim, log);
    const seconds = round((performance.now() - start) / 1000, 1);
    const attacked = images.splice(0);
    const { block } = victim;
    await good.terminate();
    await pause(plan.restMs);
    const rssAfter = victim.isDead ? Number.NaN : await victim.gauge('process_resident_memory_bytes');
    const requestBytesAfter = victim.isDead ? Number.NaN : await victim.gauge('assay_request_bytes');
    return {
      seed: plan.seed,
      frames,
      bodies: Object.fromEntries([...bodies].sort()),
      seconds,
      diedDuring,
      goodClient: compare(quiet, attacked),
      block: { wallMs: round(block.wallMs, 1), cpuMs: round(block.cpuMs, 1) },
      rssMb: {
        before: round(rssBefore / 1e6, 1),
        after: round(rssAfter / 1e6, 1),
        ratio: round(rssAfter / rssBefore),
      },
      requestBytesAfter,
      exitCode: await victim.stop(),
    };
  } finally {
    await good.terminate();
    if (!victim.isDead) await victim.stop();
  }
}

function compare(quiet: Image[], attacked: Image[]): Report['goodClient'] {
  const p95 = (all: Image[]) =>
    quantile(
      all.map(({ ms }) => ms),
      0.95,
    );
  const errors = [...new Set(attacked.flatMap(({ error }) => error ?? []))];
  const [quietP95, attackP95] = [p95(quiet), p95(attacked)];
  return {
    quietP95Ms: round(quietP95, 1),
    attackP95Ms: round(attackP95, 1),
    ratio: round(attackP95 / quietP95),
    images: attacked.length,
    errors,
  };
}

/** One kind after the other, slow senders beside all of them. */
async function attack(
  plan: Plan,
  victim: Victim,
  log: (line: string) => void,
): Promise<{ frames: number; bodies: Tally; diedDuring: string | null }> {
  const random = randomOf(plan.seed);
  const bodies: Tally = new Map();
  const agent = keepAlive();
  const controller = new AbortController();
  const slow = Array.from({ length: plan.slowSenders }, () => sendSlowly(random, victim, controller.signal));
  let frames = 0;
  let diedDuring: string | null = null;
  const kinds: [string, number, (random: Random) => Promise<number>][] = [
    ['frames', plan.frames, (r) => sendFrames(r, victim)],
    ['bodies', plan.bodies, (r) => sendBody(r, victim, agent, bodies).then(() => 1)],
    ['cuts', plan.cuts, (r) => cutConnection(r, victim).then(() => 1)],
  ];
  for (const [name, times, work] of kinds) {
    const done = await lanes(plan.lanes, times, () =>
      victim.isDead ? Promise.resolve(times) : work(random),
    );
    if (name === 'frames') frames = done;
    if (victim.isDead) diedDuring ??= name;
    log(
      `${name}: ${done}; ${victim.isDead ? 'the daemon is dead' : 'alive'}; block ${JSON.stringify(victim.block)}`,
    );
  }
  controller.abort();
  agent.destroy();
  await Promise.all(slow);
  return { frames, bodies, diedDuring };
}
