/** `assay best` on a real ComfyUI through all that can happen to it. Needs COMFYUI_DIR; see test/support/comfyui/real.ts. */
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { outcomeOf, start } from '../support/cli.ts';
import { sink } from '../support/comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from '../support/comfyui/real.ts';
import { startProxy } from '../support/proxy.ts';
import { askedIn, type Bench, studyBench, toldIn, winnersIn } from '../support/studying.ts';

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
});
