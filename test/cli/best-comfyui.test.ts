/** `assay best` on a real ComfyUI through all that can happen to it. Needs COMFYUI_DIR; see test/support/comfyui/real.ts. */
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readRatings } from '../../src/eval/ratings/ratings.ts';
import type { Trial } from '../../src/loops/study/types.ts';
import { outcomeOf, start } from '../support/cli.ts';
import { sink } from '../support/comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from '../support/comfyui/real.ts';
import { startProxy } from '../support/proxy.ts';
import { askedIn, type Bench, studyBench, toldIn, winnersIn } from '../support/studying.ts';

const { RATED_IMAGES_DIR } = process.env;
/** Plays a diffusion model out of rated images. */
const RATED_PACK = fileURLToPath(new URL('../support/comfyui/rated-pack', import.meta.url));
const TRIALS = 200;

/** A picture that follows from its seed, without a checkpoint. */
const GRAPH = {
  '2': { class_type: 'AssayTestPicture', inputs: { seed: 1 } },
  '9': sink('output', ['2', 0], 'study'),
};

/** Resolves when so many trials have been told. */
async function told(bench: Bench, count: number, ended: Promise<unknown>): Promise<void> {
  const isOver = ended.then(() => true);
  for (;;) {
    if (countOf(bench) >= count) return;
    if (await Promise.race([isOver, new Promise<boolean>((resolve) => setTimeout(resolve, 50, false))]))
      return;
  }
}

const countOf = (bench: Bench): number => {
  try {
    return toldIn(bench.out).length;
  } catch {
    return 0;
  }
};

describe.skipIf(!hasReal)(`on a real ComfyUI${hasReal ? '' : ' (skipped: COMFYUI_DIR is not set)'}`, () => {
  it('each of 200 trials counts once and the same image wins, whatever is cut, killed or restarted', {
    timeout: 900_000 + START_MS,
  }, async () => {
    const comfy = await startReal({ packs: [TEST_PACK] });
    onTestFinished(() => comfy.stop());
    const proxy = await startProxy(comfy.url);
    const [calm, rough] = [studyBench(GRAPH), studyBench(GRAPH)];
    const size = ['--images', `${TRIALS}`];
    const undisturbed = await outcomeOf(start(calm.args(comfy.url, ...size)));
    expect([undisturbed.code, undisturbed.stderr]).toEqual([0, expect.any(String)]);

    for (const [begin, until] of [
      [rough.args(proxy.url, ...size), 40],
      [rough.again(proxy.url), 80],
    ] as const) {
      const child = start(begin);
      const ended = once(child, 'close');
      await told(rough, until - 20, ended);
      proxy.cut();
      await told(rough, until, ended);
      child.kill('SIGKILL');
      await ended;
    }
    const child = start(rough.again(proxy.url));
    const ended = outcomeOf(child);
    for (const until of [100, 120]) {
      await told(rough, until, ended);
      proxy.cut();
    }
    await told(rough, 140, ended);
    await comfy.restart();
    await told(rough, 170, ended);
    proxy.cut();
    const { code, stderr } = await ended;
    expect([code, stderr]).toEqual([0, expect.any(String)]);
    const ids = toldIn(rough.out).map(([id]) => id);
    expect([ids.length, new Set(ids).size]).toEqual([TRIALS, TRIALS]);
    expect(toldIn(rough.out).filter(([, outcome]) => 'failed' in outcome)).toEqual([]);
    expect(askedIn(rough.out)).toEqual(askedIn(calm.out));
    expect(winnersIn(rough.out)).toEqual(winnersIn(calm.out));
  });

  it.skipIf(!RATED_IMAGES_DIR)(
    'halving finishes the best of the drafts of rated images (RATED_IMAGES_DIR)',
    {
      timeout: 300_000 + START_MS,
    },
    async () => {
      const comfy = await startReal({ packs: [RATED_PACK] });
      onTestFinished(() => comfy.stop());
      const { rows } = readRatings(join(RATED_IMAGES_DIR!, 'ratings.csv'));
      const inputs = { prompt: rows[0]!.prompt, seed: 1, steps: 20, ms: 0 };
      const bench = studyBench({
        '1': { class_type: 'AssayTestRated', inputs },
        '9': sink('output', ['1', 0], 'rated'),
      });
      const args = bench.args(
        comfy.url,
        '--strategy',
        'halving',
        '--images',
        '4',
        '--prompt',
        rows[0]!.prompt!,
      );
      const { code, stdout } = await outcomeOf(start(args));
      const told = stdout
        .trimEnd()
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line).trial as Trial);
      expect([code, told.map(({ stage }) => stage.effort)]).toEqual([0, [...Array(8).fill(0.25), 1, 1]]);
      const drafts = new Map(told.slice(0, 8).map(({ id, seed }) => [id, seed]));
      for (const { from, seed } of told.slice(8)) expect(seed).toBe(drafts.get(from!));
      expect(winnersIn(bench.out)).toHaveLength(1);
    },
  );
});
