/** `assay refine` on a real sampler, with phrases of its own and with a language model: see test/support/comfyui/sampler.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { assay } from '../support/cli.ts';
import { START_MS } from '../support/comfyui/real.ts';
import { hasSampler, sampling, startSampler, whyNot } from '../support/comfyui/sampler.ts';
import { proposes, startEndpoint } from '../support/endpoint.ts';
import { studyBench, toldIn } from '../support/studying.ts';

/** As few images as it takes. */
const FEW = ['--by', 'quality', '--variants', '1', '--seeds', '2', '--confirm', '8', '--rounds', '1'];

describe.skipIf(!hasSampler)(`a refinement on a real sampler${whyNot}`, () => {
  it('comes to a verdict, whoever proposes', { timeout: 500_000 + START_MS }, async () => {
    const comfy = await startSampler();
    onTestFinished(() => comfy.stop());
    const model = await startEndpoint(proposes('a red fox, golden light'));
    for (const proposer of [[], ['--endpoint', model.url, '--model', 'tiny']]) {
      const bench = studyBench(sampling(2), 'refine');
      const { code, stdout, stderr } = await assay(bench.args(comfy.url, ...FEW, ...proposer));
      expect([code, stderr]).toEqual([0, expect.stringContaining('prompt in 6.text · seeds: 3.seed')]);
      const last = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
      expect(last.verdict.kind).toMatch(/better|none/);
      expect(toldIn(bench.out)).toHaveLength(last.images);
      expect(readFileSync(join(bench.out, 'report.html'), 'utf8')).toContain(last.verdict.words);
    }
    expect(model.asked).toHaveLength(1);
  });
});
