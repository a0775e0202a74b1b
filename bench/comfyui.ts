/**
 * The nodes inside a real ComfyUI: node time against bare inference, how soon an interrupt ends it, and what the pack
 * adds to the start. COMFYUI_DIR names the checkout, COMFYUI_PYTHON the Python that runs it.
 *
 * npm run bench:comfyui
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startDaemonUnderTest } from '../src/bench/daemon.ts';
import { median, round } from '../src/bench/figures.ts';
import { openRawSession, type RawSession } from '../src/bench/raw.ts';
import { createComfyHost } from '../src/bridge/hosts/comfyui/link/host.ts';
import { configOf } from '../src/cli/open.ts';
import type { Host, Workflow } from '../src/host.ts';
import { catalogOf } from '../src/reward/model/catalog.ts';
import { hasReal, startReal } from '../test/support/comfyui/real.ts';

const PACK = fileURLToPath(new URL('../python-shim/comfyui', import.meta.url));
const ROUNDS = 21;
const BATCH = 8;
const GATE = '3';
const REST_MS = 500;
/** About as long as the batch takes. */
const BATCH_MS = 60;
const never = new AbortController().signal;

/** A batch of 512² images that no cache has seen, through the gate into files. */
function gateWorkflow(seed: number, batch: number): Workflow {
  const empty = { width: 512, height: 512, batch_size: batch, color: 0x4080c0 };
  const gate = { aspect: 'quality', measure: 'percentile', threshold: 0.3 };
  const rules = { unsure_within_interval: false, unsure: 'accept', on_failure: 'stop', compact: false };
  return {
    1: { class_type: 'EmptyImage', inputs: empty },
    2: { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed, strength: 0.2 } },
    [GATE]: { class_type: 'AssayGate', inputs: { images: ['2', 0], ...gate, ...rules } },
    4: { class_type: 'SaveImage', inputs: { images: [GATE, 0], filename_prefix: 'bench' } },
  };
}

/** Milliseconds between the host's word that the gate runs and its word that the next node does. */
async function gateMs(host: Host, seed: number): Promise<number> {
  const { id } = await host.submit(gateWorkflow(seed, BATCH), never);
  let began = Number.NaN;
  let ended = Number.NaN;
  for await (const event of host.follow(id, never)) {
    const now = performance.now();
    if (event.kind === 'node' && event.node === GATE) began = now;
    else if (event.kind === 'node' && began > 0) ended = Math.min(ended || now, now);
    if (event.kind === 'ended' && event.run.status !== 'success')
      throw new Error(`the run ended in ${event.run.status}: ${event.run.error}`);
  }
  return ended - began;
}

/** Milliseconds from the request to interrupt a batch of 256 images to the end of the run. */
async function interruptMs(host: Host, seed: number): Promise<number> {
  const { id } = await host.submit(gateWorkflow(seed, 256), never);
  let asked = Number.NaN;
  for await (const event of host.follow(id, never)) {
    if (event.kind === 'node' && event.node === GATE) {
      await pause(300);
      asked = performance.now();
      await host.cancel(id, never);
    }
    if (event.kind === 'ended' && event.run.status === 'interrupted') return performance.now() - asked;
  }
  throw new Error('the run was over before the interrupt');
}

/** Node time ÷ inference time, taken in turns. */
async function measureGate(host: Host, raw: RawSession): Promise<object> {
  await gateMs(host, 1);
  const pairs: { gate: number; bare: number }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    // Both from rest, as a batch comes in a workflow: after a pause the first images take longer.
    await pause(REST_MS);
    const bare = (BATCH * 1000) / (await raw.imagesPerSecond(1, BATCH_MS, true));
    await pause(REST_MS);
    pairs.push({ bare, gate: await gateMs(host, 100 + i) });
  }
  const ratios = pairs.map((p) => round(p.gate / p.bare));
  return {
    ratio: median(ratios),
    ratios: ratios.toSorted((a, b) => a - b),
    gateMs: round(median(pairs.map((p) => p.gate)), 1),
    inferenceMs: round(median(pairs.map((p) => p.bare)), 1),
  };
}

async function measureInterrupts(host: Host): Promise<object> {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) times.push(round(await interruptMs(host, 1000 + i), 0));
  return { medianMs: median(times), worstMs: Math.max(...times) };
}

/** Seconds that ComfyUI itself reports for the import of the pack. */
const importSeconds = (log: string): number =>
  Number(/^\s*([\d.]+) seconds(?: \(.*\))?: \S*custom_nodes\S*comfyui$/m.exec(log)?.[1]);

if (!hasReal) throw new Error('set COMFYUI_DIR, and COMFYUI_PYTHON where its packages are elsewhere');
const dataDir = mkdtempSync(join(tmpdir(), 'assay-bench-'));
const config = configOf({ dataDir });
const daemon = await startDaemonUnderTest(['--data-dir', dataDir]);
const comfy = await startReal({ packs: [PACK], env: { ASSAY_URL: daemon.url } });
const host = createComfyHost({ url: comfy.url });
const raw = await openRawSession(catalogOf(config).find(), config);
try {
  const { version } = await host.describe(never);
  const gate = await measureGate(host, raw);
  const interrupt = await measureInterrupts(host);
  const figures = { comfyui: version, gate, interrupt, importSeconds: importSeconds(comfy.log()) };
  console.log(JSON.stringify(figures, null, 2));
} finally {
  await raw.close();
  await host.close();
  await comfy.stop();
  await daemon.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
