/** `assay best` and `assay refine` on a host without nodes, whose workflow is the body of a request. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startFake } from '../support/a1111/fake.ts';
import { REALS, START_MS } from '../support/a1111/real.ts';
import { pictures } from '../support/a1111/requests.ts';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { askedIn, type Bench, studyBench, toldIn, winnersIn } from '../support/studying.ts';

const bench = (changes: object = {}, command = 'best'): Bench =>
  studyBench({ ...pictures({ seed: 1 }), ...changes }, command, 'a1111');

async function fake(changes: Parameters<typeof startFake>[0] = {}) {
  const webui = await startFake(changes);
  onTestFinished(() => webui.stop());
  return webui;
}

describe('assay best with a request', () => {
  it('makes images by their seeds, judges them by the prompt, and keeps the best', async () => {
    const webui = await fake();
    const { args, out } = bench({ batch_size: 2 });
    const { code, stdout, stderr } = await assay(args(webui.url, '--images', '3', '--keep', '2'));
    expect([code, stderr]).toEqual([0, expect.stringContaining('seeds: seed (txt2img)')]);
    expect(stderr).toContain('prompt: "a fox in the snow" (prompt)');
    const told = toldIn(out);
    expect(told.map(([, outcome]) => ('images' in outcome ? outcome.images.length : outcome))).toEqual([
      2, 2, 2,
    ]);
    const sent = webui.seen.filter(({ path }) => path.endsWith('txt2img')).map(({ body }) => body!.seed);
    expect(sent).toEqual(askedIn(out).map(({ seed }) => seed));
    expect(winnersIn(out)).toHaveLength(2);
    const last = JSON.parse(stdout.trim().split('\n').at(-1)!);
    expect(last).toMatchObject({ failed: 0, winners: [{ value: expect.any(Number) }, {}] });
  });

  it('varies any field, and moves near the best by the variation seed', async () => {
    const webui = await fake();
    const near = bench({ seed: 5, subseed_strength: 0.1 });
    const run = await assay(near.args(webui.url, '--images', '3', '--vary', 'subseed'));
    expect([run.code, run.stderr]).toEqual([0, expect.any(String)]);
    const bodies = webui.seen.filter(({ path }) => path.endsWith('txt2img')).map(({ body }) => body!);
    expect(bodies.map(({ seed }) => seed)).toEqual([5, 5, 5]);
    expect(new Set(bodies.map(({ subseed }) => subseed)).size).toBe(3);
    const { args, out } = bench();
    await assay(args(webui.url, '--images', '4', '--vary', 'cfg_scale=4,8'));
    expect(new Set(askedIn(out).map(({ parameters }) => parameters.cfg_scale))).toEqual(new Set([4, 8]));
  });

  it('goes on after the host was restarted in the middle', async () => {
    const webui = await fake();
    const { args, out } = bench({ steps: 20, alwayson_scripts: { Test: { args: [20, null] } } });
    const child = start(args(webui.url, '--images', '4'));
    const ended = outcomeOf(child);
    await expect.poll(() => webui.worker.state.sampling_step, { timeout: 20_000 }).toBeGreaterThan(2);
    await webui.restart();
    expect((await ended).code).toBe(0);
    const ids = toldIn(out).map(([id]) => id);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toHaveLength(4);
  });

  it('begins a run anew that another life of it has submitted', async () => {
    const webui = await fake();
    const place = bench({ steps: 20, alwayson_scripts: { Test: { args: [20, null] } } });
    const child = start(place.args(webui.url, '--images', '3'));
    const ended = outcomeOf(child);
    await expect.poll(() => webui.worker.state.sampling_step, { timeout: 20_000 }).toBeGreaterThan(2);
    child.kill('SIGKILL');
    await ended;
    const again = await assay(place.again(webui.url));
    expect([again.code, again.stderr]).toEqual([0, expect.any(String)]);
    expect(toldIn(place.out).map(([id]) => id)).toHaveLength(3);
  });

  it.each([
    ['is no JSON', '{', /it is not JSON/],
    ['is a workflow of nodes', '{"1":{"class_type":"KSampler","inputs":{}}}', /a workflow of nodes/],
    ['has neither prompt nor image', '{"steps": 4}', /neither prompt nor init_images/],
    [
      'has another route',
      '{"route":"extras","prompt":"a"}',
      /route is .*extras.*, and may be txt2img or img2img/,
    ],
    ['has no image for img2img', '{"route":"img2img","prompt":"a"}', /img2img needs init_images/],
    ['has an image for txt2img', '{"route":"txt2img","prompt":"a","init_images":["AA"]}', /are of img2img/],
    ['has no whole number of steps', '{"prompt":"a","steps":1.5}', /steps/],
    ['is a list', '[]', /the top level is not an object/],
  ])('refuses a file that %s', async (_what, text, message) => {
    const place = bench();
    writeFileSync(join(place.folder, 'workflow.json'), text);
    const { code, stderr } = await assay(place.args('http://127.0.0.1:9'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(stderr).toContain('REQUEST_INVALID');
  });

  it('names the fields that there are', async () => {
    const { code, stderr } = await assay(bench().args('http://127.0.0.1:9', '--vary', 'cfg_scal=4,8'));
    expect(code).toBe(2);
    expect(stderr).toContain('(did you mean cfg_scale?)');
  });

  it('refines the prompt field', async () => {
    const webui = await fake();
    const place = bench({ prompt: 'a fox' }, 'refine');
    const { code, stderr } = await assay(
      place.args(
        webui.url,
        '--images',
        '80',
        '--rounds',
        '1',
        '--variants',
        '2',
        '--seeds',
        '2',
        '--by',
        'quality',
      ),
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining('prompt in prompt · seeds: seed')]);
    const prompts = webui.seen.filter(({ path }) => path.endsWith('txt2img')).map(({ body }) => body!.prompt);
    expect(new Set(prompts).size).toBeGreaterThan(1);
    expect(readFileSync(join(place.out, 'report.html'), 'utf8')).toContain('a fox');
  });
});

for (const real of REALS)
  describe.skipIf(!real.isThere)(
    `on a real ${real.title}${real.isThere ? '' : ` (skipped: ${real.variable} is not set)`}`,
    () => {
      it('a study makes each image once and keeps the best', { timeout: 300_000 + START_MS }, async () => {
        const webui = await real.start();
        onTestFinished(() => webui.stop());
        const place = studyBench(pictures({ seed: 1, steps: 4 }), 'best', 'a1111');
        const { code, stderr } = await assay(place.args(webui.url, '--images', '6', '--keep', '2'));
        expect([code, stderr]).toEqual([0, expect.stringContaining('prompt: "a fox in the snow"')]);
        const told = toldIn(place.out);
        expect(told.map(([, outcome]) => 'failed' in outcome)).toEqual(Array(6).fill(false));
        expect(winnersIn(place.out)).toHaveLength(2);
      });
    },
  );
