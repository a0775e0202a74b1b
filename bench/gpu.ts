/**
 * The scorer on a GPU, in one go of a few minutes: does it give the CPU's scores, how fast is it beside eager PyTorch,
 * what memory does it take, and what does it do beside a process that fills the card. `--provider cpu` or `webgpu` tries
 * the script itself on any machine.
 *
 * npm run bench:gpu -- [--provider cuda] [--images DIR] [--count 24] [--seconds 3] [--scorer ID]
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findPython } from '../scripts/python.ts';
import { testPicture } from '../src/bench/figures.ts';
import { openRawSession } from '../src/bench/raw.ts';
import { type Config, loadConfig, PROVIDERS, type Provider } from '../src/config.ts';
import { reasonOf } from '../src/errors/error.ts';
import { widened } from '../src/reward/graph/onnx/widen.ts';
import { tryProviders } from '../src/reward/graph/providers.ts';
import { openOnnxSession } from '../src/reward/graph/session.ts';
import { numbers, stack, type Tensors } from '../src/reward/graph/tensor.ts';
import { gpuMemoryMb } from '../src/reward/graph/vram.ts';
import { decode } from '../src/reward/image/decode.ts';
import { catalogOf } from '../src/reward/model/catalog.ts';
import { graphPath } from '../src/reward/model/model-files.ts';
import { placementsOf } from '../src/reward/model/placements.ts';
import { openScorer, type Scorer } from '../src/reward/scorer.ts';
import type { Pixels } from '../src/types/image.ts';

/** What a full card has left, in MB: room for the scorer, and none. */
const LEFT = [2000, 300];
const PROMPT = 'a picture of a cat on a sofa';
const PYTHON = fileURLToPath(new URL('./gpu_torch.py', import.meta.url));
const UNLIMITED = { maxImageBytes: 2 ** 30, maxPixels: 1e9, maxSide: 65_535, background: '#ffffff' };

const { values } = parseArgs({
  options: {
    provider: { type: 'string', default: 'cuda' },
    images: { type: 'string' },
    count: { type: 'string', default: '24' },
    seconds: { type: 'string', default: '3' },
    scorer: { type: 'string' },
  },
});
const provider = values.provider as Provider;
if (!PROVIDERS.includes(provider)) throw new Error(`--provider is one of ${PROVIDERS.join(', ')}`);
/** Large ones where they take milliseconds. */
const BATCHES = provider === 'cpu' || provider === 'webgpu' ? [1, 2] : [1, 8, 32];
const [count, durationMs] = [Number(values.count), 1000 * Number(values.seconds)];
const dataDir = mkdtempSync(join(tmpdir(), 'assay-gpu-'));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const configFor = (name: Provider, gpu = {}): Config =>
  loadConfig({ providers: [name], dataDir, gpu, ...(values.scorer && { scorer: values.scorer }) });
const config = configFor(provider);
const model = catalogOf(config).find();

/** Evenly over the folder, so that not one kind alone is seen; drawn ones without a folder. */
async function pictures(): Promise<Pixels[]> {
  if (values.images === undefined)
    return Array.from({ length: count }, (_, i) => ({ data: testPicture(512, i), width: 512, height: 512 }));
  const files = readdirSync(values.images)
    .filter((name) => /\.(png|jpe?g|webp)$/i.test(name))
    .sort();
  const chosen = Array.from(
    { length: Math.min(count, files.length) },
    (_, i, { length } = files) => files[Math.floor((i * length) / Math.min(count, length))]!,
  );
  const read = (name: string) => readFileSync(join(values.images!, name));
  return Promise.all(chosen.map((name) => decode({ kind: 'encoded', bytes: read(name) }, UNLIMITED)));
}

async function scoresOf(scorer: Scorer, images: Pixels[]): Promise<number[]> {
  const judged = images.map((image) => scorer.judge(image, PROMPT, AbortSignal.timeout(3_600_000)));
  return (await Promise.all(judged)).flatMap(({ aspects }) =>
    Object.values(aspects).flatMap((aspect) => (aspect ? [aspect.score] : [])),
  );
}

async function withScorer<T>(own: Config, use: (scorer: Scorer) => Promise<T>): Promise<T> {
  // No first run: a GPU in software takes longer for it than anybody waits elsewhere.
  const scorer = await openScorer(model, own, async () => {});
  try {
    return await use(scorer);
  } finally {
    await scorer.close();
  }
}

async function parity(): Promise<void> {
  const images = await pictures();
  const onCpu = await withScorer(configFor('cpu'), (scorer) => scoresOf(scorer, images));
  await arithmetic(images);
  await withScorer(config, async (scorer) => {
    const found = await scoresOf(scorer, images);
    const { precision = 'as stored' } = scorer.graphs.at(-1)!;
    print(
      `runs on    ${scorer.provider}, weights ${precision}${scorer.notes.map((note) => `; ${note}`).join('')}`,
    );
    print(
      `parity     ${images.length} images, ${found.length} scores off the CPU: ${differences(found, onCpu)} MOS`,
    );
    print(`batch      ${scorer.gpu ? await scorer.tuneBatch() : scorer.batch} images at once are what pays`);
    const placements = await placementsOf(scorer, model, config, await tryProviders(dataDir));
    for (const { graph, provider: on, nodes, onCpu: left, operators } of placements)
      print(
        `nodes      ${left} of ${nodes} of ${graph} are left to the CPU by ${on} ${operators.join(', ')}`,
      );
  });
}

const judgeOf = (found: Record<string, Tensors>): Tensors =>
  Object.fromEntries(Object.entries(found.score!).map(([name, tensor]) => [name, stack([tensor])]));

/** What GPUs compute, on the CPU: raw quality of the same images with the weights unpacked. */
async function arithmetic(images: Pixels[]): Promise<void> {
  const file = graphPath(model, model.manifest.defaultVariant, 'score');
  const packed = readFileSync(file);
  const feeds = await withScorer(configFor('cpu'), (scorer) =>
    Promise.all(images.map((image) => scorer.feeds(image, PROMPT, AbortSignal.timeout(3_600_000)))),
  );
  const rawOf = async (graph: Uint8Array, isHalf: boolean): Promise<number[]> => {
    const own = { scorer: model.manifest.id, backend: 'onnx' as const, providers: ['cpu'] };
    const session = await openOnnxSession({
      ...own,
      graph,
      gpuGraph: graph,
      threads: config.threads,
      ...(isHalf && { halfGraph: graph }),
    });
    const found: number[] = [];
    for (const one of feeds) found.push(numbers((await session.run(judgeOf(one))).quality!)[0]!);
    await session.release();
    return found;
  };
  const [own, full] = [await rawOf(packed, false), widened(packed, 'float32')];
  if (!full) return print('arithmetic the graph has no four-bit weights');
  const [inFull, inHalf] = [await rawOf(full, false), await rawOf(widened(packed, 'float16')!, true)];
  print(
    `arithmetic float32 off the CPU's own: ${differences(inFull, own)}; float16 off float32: ${differences(inHalf, inFull)}`,
  );
}

function differences(a: number[], b: number[]): string {
  const off = a.map((value, i) => Math.abs(value - b[i]!));
  const mean = off.reduce((sum, one) => sum + one, 0) / off.length;
  return `mean ${mean.toFixed(4)}, largest ${Math.max(...off).toFixed(4)}`;
}

function eager(): { device: string; precision: string; perSecond: Record<string, number> } | undefined {
  const python = findPython(['torch', 'onnx']);
  if (!python) return undefined;
  const args = [PYTHON, 'speed', '--seconds', String(durationMs / 1000), '--batches', ...BATCHES.map(String)];
  const { status, stdout } = spawnSync(python, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return status === 0 ? JSON.parse(stdout) : undefined;
}

async function speed(): Promise<void> {
  const torch = eager();
  if (!torch) print('PyTorch    not at hand (set ASSAY_PYTHON): no comparison');
  const raw = await openRawSession(model, config);
  print(`memory     ${memoryWords()} loaded`);
  for (const batch of BATCHES) {
    const ours = await raw.imagesPerSecond(batch, durationMs);
    const theirs = torch?.perSecond[batch];
    const beside = theirs ? `, ${(ours / theirs).toFixed(2)} of eager PyTorch's ${theirs}` : '';
    print(`batch ${String(batch).padEnd(4)} ${ours.toFixed(1)} images/s${beside}; ${memoryWords()}`);
  }
  if (torch) print(`PyTorch    ${torch.precision} on ${torch.device}`);
  await raw.close();
}

const memoryWords = (): string => {
  const mb = gpuMemoryMb();
  return mb === null ? 'GPU memory unknown' : `GPU memory ${mb} MB`;
};

/** Begins to fill the card; undefined where there is none. */
async function fill(leaveMb: number): Promise<ChildProcess | undefined> {
  const python = provider === 'cuda' ? findPython(['torch']) : undefined;
  if (!python) return undefined;
  const child = spawn(python, [PYTHON, 'fill', '--leave-mb', String(leaveMb)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [said] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  return String(said).startsWith('full') ? child : undefined;
}

async function besideAFullCard(): Promise<void> {
  for (const leaveMb of LEFT) {
    const filler = await fill(leaveMb);
    if (!filler) return print('full card  not tried: it needs CUDA, in PyTorch, too');
    const capped = configFor(provider, { memoryMb: leaveMb });
    const outcome = await withScorer(capped, async (scorer) => {
      const [first] = await scoresOf(scorer, [{ data: testPicture(512, 1), width: 512, height: 512 }]);
      return `runs on ${scorer.provider}, scores ${first!.toFixed(2)}; ${memoryWords()}`;
    }).catch((error) => `fails: ${reasonOf(error)}`);
    print(`full card  ${leaveMb} MB left: ${outcome}`);
    filler.stdin!.end();
    await once(filler, 'exit');
  }
}

try {
  for (const { name, available, reason, remark } of await tryProviders(dataDir))
    print(`provider   ${name}: ${available ? `works ${remark}` : reason}`);
  await parity();
  await speed();
  await besideAFullCard();
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
