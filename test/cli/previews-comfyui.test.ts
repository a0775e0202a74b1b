/** Previews of a real sampler, as latents show them, measured and used: see test/support/comfyui/sampler.ts. */
import { readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { calibrationSchema } from '../../src/loops/previews/calibration.ts';
import { assay } from '../support/cli.ts';
import { START_MS } from '../support/comfyui/real.ts';
import { hasSampler, sampling, startSampler, whyNot } from '../support/comfyui/sampler.ts';
import { studyBench, toldIn, winnersIn } from '../support/studying.ts';

interface Entry {
  status: { messages: [string][] };
}

const STEPS = 6;

describe.skipIf(!hasSampler)(`previews of a real sampler${whyNot}`, () => {
  it('are measured, and a search stops its runs and no others', { timeout: 500_000 + START_MS }, async () => {
    const comfy = await startSampler();
    onTestFinished(() => comfy.stop());
    const bench = studyBench(sampling(STEPS));
    const by = ['--by', 'quality'];
    const few = ['--images', '14', '--seed', '3', '--out', `${bench.out}-measured`];
    const args = bench.args(comfy.url, ...by, ...few).slice(1);
    const measured = await assay(['calibrate', 'previews', ...args]);
    expect([measured.code, measured.stderr]).toEqual([0, expect.any(String)]);
    const path = bench.workflow.replace('.json', '.previews.json');
    const { subject, samplers, points } = calibrationSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    expect([subject.method, subject.size, samplers]).toEqual([
      'latent2rgb',
      [512, 512],
      [{ node: '3', steps: STEPS }],
    ]);
    expect(points.map(({ step }) => step)).toEqual(Array.from({ length: STEPS }, (_, i) => i + 1));

    const loose = ['--images', '8', '--previews', '--demand', '0.01'];
    const found = await assay(bench.args(comfy.url, ...by, ...loose));
    expect([found.code, found.stderr, winnersIn(bench.out).length]).toEqual([0, expect.any(String), 1]);
    const pruned = toldIn(bench.out).filter(([, outcome]) => 'pruned' in outcome);
    const history = (await (await fetch(`${comfy.url}/history`)).json()) as Record<string, Entry>;
    const interrupted = Object.values(history).filter(({ status }) =>
      status.messages.some(([name]) => name === 'execution_interrupted'),
    );
    // Fewer images may have intervals too wide for any demand.
    if (!found.stderr.includes('nothing is stopped early')) expect(pruned.length).toBeGreaterThan(0);
    expect(interrupted.length).toBe(pruned.length);
  });
});
