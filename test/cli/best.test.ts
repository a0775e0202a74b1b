/** `assay best` as users run it, on the fake host: what it makes, keeps and writes, and what it survives. */
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readScore } from '../../src/files/metadata/metadata.ts';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { type FakeHost, startFake } from '../support/comfyui/fake.ts';
import { meanGraph, writeModel } from '../support/models.ts';
import { askedIn, prompted, seeded, studyBench, toldIn, winnersIn } from '../support/studying.ts';

async function host(): Promise<FakeHost> {
  const fake = await startFake();
  onTestFinished(() => fake.stop());
  return fake;
}

const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1)!);

describe('assay best', { timeout: 90_000 }, () => {
  it('makes images of other seeds, and keeps the best with their scores in them', async () => {
    const [fake, bench] = [await host(), studyBench()];
    const { code, stdout, stderr } = await assay(bench.args(fake.url, '--keep', '2', '--images', '6'));
    expect([code, stderr]).toEqual([0, expect.stringContaining('seeds: 3.seed (ImageAddNoise)')]);
    const values = toldIn(bench.out).map(([, outcome]) =>
      'images' in outcome ? outcome.images[0]!.values.quality! : 0,
    );
    expect(values).toHaveLength(6);
    const { done, winners, report } = lastLine(stdout);
    expect(done.reason).toBe('images');
    expect(winnersIn(bench.out)).toHaveLength(2);
    const record = readScore(readFileSync(winners[0].path))!;
    expect(record.aspects.quality!.score).toBeCloseTo(Math.max(...values), 6);
    const page = readFileSync(report, 'utf8');
    expect(page.match(/<img src="data:image\/webp/g)).toHaveLength(6);
    expect(page).toContain(`seed ${askedIn(bench.out)[0]!.seed}`);
    expect(page).toContain('Had it stopped earlier');
  });

  it('varies what it is told to, stops at enough keepers, and moves what the policy rejects', async () => {
    const [fake, bench] = [await host(), studyBench()];
    const [strengths, policy] = [join(bench.folder, 'strengths.txt'), join(bench.folder, 'policy.json')];
    writeFileSync(strengths, '0.1\n0.2\n\n');
    writeFileSync(policy, '{"aspects": {"quality": {"minScore": 2}}, "actions": {"reject": "move"}}');
    const varied = ['--vary', '3.seed', '--vary', `3.strength=@${strengths}`, '--vary', '2.steps=1..3'];
    const ended = ['--by', 'quality', '--least', '2', '--keep', '2', '--policy', policy];
    const { code, stdout } = await assay(bench.args(fake.url, ...varied, ...ended));
    expect([code, lastLine(stdout).done.reason]).toEqual([0, 'keepers']);
    const images = toldIn(bench.out).flatMap(([, outcome]) => ('images' in outcome ? outcome.images : []));
    const rejected = images.filter(({ values }) => values.quality! < 2).map(({ image }) => image);
    expect(rejected.length).toBeGreaterThan(0);
    const left = new Set(readdirSync(join(bench.out, 'images')));
    for (const { image } of images) expect(left.has(image)).toBe(!rejected.includes(image));
    const asked = askedIn(bench.out).map(({ parameters }) => parameters);
    expect(new Set(asked.map((p) => p['3.strength'])).size).toBeLessThanOrEqual(2);
    for (const p of asked) expect([1, 2, 3]).toContain(p['2.steps']);
    const graphs = [...fake.history.values()].map(({ prompt }) => prompt[2] as ReturnType<typeof seeded>);
    expect(graphs[0]!['3']!.inputs).toMatchObject({
      seed: askedIn(bench.out)[0]!.seed,
      strength: asked[0]!['3.strength'],
    });
  });

  it('counts each trial once and ends the same, whatever is stopped, killed, cut or restarted', {
    timeout: 180_000,
  }, async () => {
    const [fake, whole, cut] = [await host(), studyBench(seeded({ ms: 20 })), studyBench(seeded({ ms: 20 }))];
    await assay(whole.args(fake.url, '--images', '14'));
    const stopped = start(cut.args(fake.url, '--images', '14'));
    const ended = outcomeOf(stopped);
    await once(stopped.stdout!, 'data');
    stopped.kill('SIGINT');
    const { code, stdout } = await ended;
    expect([code, lastLine(stdout).done]).toEqual([130, null]);
    expect(winnersIn(cut.out)).toHaveLength(1);
    expect(toldIn(cut.out).length).toBeLessThan(14);
    const killed = start(cut.again(fake.url));
    await once(killed.stdout!, 'data');
    fake.cut();
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const last = start(cut.again(fake.url));
    const lasted = outcomeOf(last);
    await once(last.stdout!, 'data');
    await fake.restart();
    expect((await lasted).code).toBe(0);
    expect(
      toldIn(cut.out)
        .map(([id]) => id)
        .toSorted(),
    ).toEqual(
      toldIn(whole.out)
        .map(([id]) => id)
        .toSorted(),
    );
    expect(winnersIn(cut.out)).toEqual(winnersIn(whole.out));
  });

  it('goes on where the guard of another scorer takes the measure that it picks by', async () => {
    const [fake, bench] = [await host(), studyBench()];
    const domain = { output: 'mean', limit: 0, reason: 'bright' };
    const edit = (manifest: object) => Object.assign(manifest, { domain });
    writeModel(join(bench.folder, 'models'), { id: 'test-strict', graph: meanGraph, edit });
    const both = ['--by', 'quality,test-strict.quality', '--images', '3'];
    const { code, stdout, stderr } = await assay(bench.args(fake.url, ...both));
    expect([code, stderr]).toEqual([3, expect.not.stringContaining('MEASURE_MISSING')]);
    expect(lastLine(stdout).done.reason).toBe('images');
    expect(toldIn(bench.out)).toHaveLength(3);
    expect(winnersIn(bench.out)).toEqual([]);
  });

  it('goes on with the scorer and the policy that it was begun with', async () => {
    const [fake, bench] = [await host(), studyBench(seeded({ ms: 20 }))];
    const models = join(bench.folder, 'models');
    writeModel(models, { id: 'test-other' });
    const policy = join(bench.folder, 'policy.json');
    writeFileSync(policy, '{"aspects": {"quality": {"minScore": 5}}}');
    const begun = start(bench.args(fake.url, '--images', '6', '--policy', policy));
    await once(begun.stdout!, 'data');
    begun.kill('SIGKILL');
    await once(begun, 'close');
    rmSync(policy);
    const again = (...scorer: string[]) => {
      const args = bench.again(fake.url);
      args.splice(args.indexOf('--scorer'), 2, ...scorer);
      return assay(args);
    };
    const other = await again('--scorer', 'test-other');
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringMatching(/--scorer test-other@.* has its own, test-bright@/),
    ]);
    const last = await again();
    expect([last.code, last.stderr]).toEqual([3, expect.not.stringContaining('UNKNOWN_SCORER')]);
    const scorers = readFileSync(join(bench.out, 'journal.jsonl'), 'utf8').match(/"scorer":{"id":"[^"]*"/g)!;
    expect(scorers.length).toBe(6);
    expect(new Set(scorers)).toEqual(new Set(['"scorer":{"id":"test-bright"']));
    expect(winnersIn(bench.out)).toEqual([]);
  });

  it('says by which prompt it judges, and refuses a measure that no image can have', async () => {
    const fake = await host();
    const silent = studyBench();
    writeModel(join(silent.folder, 'models'), { id: 'test-text', text: true });
    const withText = [...silent.args(fake.url, '--images', '2'), '--scorer', 'test-text'];
    const missing = await assay([...withText, '--by', 'alignment']);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/no prompt found: judged by quality alone.*MEASURE_MISSING/s);
    expect(missing.stderr).toMatch(/no alignment to pick by: no prompt.*--prompt/s);
    const unknown = studyBench();
    const refused = await assay(unknown.args(fake.url, '--by', 'quality,authenticity'));
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/MEASURE_MISSING.*no authenticity.*test-bright does not predict/s),
    ]);
    expect(existsSync(unknown.out)).toBe(false);
    const spoken = studyBench(prompted('a red fox'));
    const { code, stderr } = await assay(spoken.args(fake.url, '--images', '2'));
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining('prompt: "a red fox" (workflow node 4 (CLIPTextEncode))'),
    ]);
    expect(readFileSync(join(spoken.out, 'report.html'), 'utf8')).toContain('workflow node 4');
  });

  it('ends with what it has when Ctrl-C comes once more by way of whoever started it', async () => {
    const [fake, bench] = [await host(), studyBench(seeded({ ms: 20 }))];
    const child = start(bench.args(fake.url, '--images', '14'));
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    await pause(20);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect([code, lastLine(stdout).done]).toEqual([130, null]);
    expect(winnersIn(bench.out)).toHaveLength(1);
  });

  it('says at once, and once, that the host has died in the middle of a trial, and goes on when it is back', async () => {
    const [fake, bench] = [await host(), studyBench(seeded({ steps: 30, ms: 50 }))];
    const child = start(bench.args(fake.url, '--images', '2'));
    let stderr = '';
    child.stderr!.on('data', (chunk) => {
      stderr += chunk;
    });
    const ended = once(child, 'close');
    const submitted = () =>
      existsSync(join(bench.out, 'journal.jsonl')) &&
      readFileSync(join(bench.out, 'journal.jsonl'), 'utf8').includes('"submitted"');
    await expect.poll(submitted, { timeout: 20_000 }).toBe(true);
    await fake.down();
    await expect.poll(() => stderr, { timeout: 20_000 }).toMatch(/trying again \[HOST_UNREACHABLE\]/);
    await fake.up();
    expect(await ended).toEqual([0, null]);
    expect(stderr.match(/HOST_UNREACHABLE/g)).toHaveLength(1);
    expect(toldIn(bench.out)).toHaveLength(2);
  });

  it('refuses a least value that no image can have, before it makes any', async () => {
    const [fake, bench] = [await host(), studyBench()];
    for (const [flags, words] of [
      [['--least', '1.5'], /--least 1\.5: reward goes from 0 to 1/],
      [['--price', '15'], /--price 15: reward goes from 0 to 1 .* with a % it is a share/],
      [['--least', '7', '--by', 'quality'], /--least 7: quality goes from 0 to 5 \(scorer test-bright\)/],
    ] as const) {
      const { code, stderr } = await assay(bench.args(fake.url, ...flags));
      expect([code, stderr, existsSync(bench.out)]).toEqual([2, expect.stringMatching(words), false]);
    }
  });

  it('does not go on with what is run elsewhere, of another version or of another kind', async () => {
    const [fake, bench] = [await host(), studyBench(seeded({ steps: 40, ms: 50 }))];
    const running = start(bench.args(fake.url, '--images', '2'));
    const ended = once(running, 'close');
    await expect.poll(() => existsSync(join(bench.out, 'journal.jsonl')), { timeout: 20_000 }).toBe(true);
    const held = await assay(bench.again(fake.url));
    expect([held.code, held.stderr]).toEqual([
      2,
      expect.stringMatching(new RegExp(`STUDY_HELD.*is run by process ${running.pid} on `, 's')),
    ]);
    running.kill('SIGINT');
    await ended;
    const plan = join(bench.out, 'study.json');
    const text = readFileSync(plan, 'utf8');
    writeFileSync(plan, text.replace('"version": 1', '"version": 2'));
    const newer = await assay(bench.again(fake.url));
    expect([newer.code, newer.stderr]).toEqual([
      2,
      expect.stringMatching(/STUDY_VERSION.*is of version 2, and this Assay reads version 1/s),
    ]);
    const other = await assay(['refine', ...bench.again(fake.url).slice(1)]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/assay best --resume --out/)]);
    renameSync(plan, join(bench.out, 'refinement.json'));
    const own = await assay(bench.again(fake.url));
    expect([own.code, own.stderr]).toEqual([2, expect.stringMatching(/assay refine --resume --out/)]);
  });

  it('lets a trial fail alone', async () => {
    const fake = await host();
    let runs = 0;
    fake.settings.atStep = () => {
      if (++runs % 3 === 0) throw new Error('out of memory');
    };
    const bench = studyBench(seeded({ steps: 1 }));
    const { code, stdout } = await assay(bench.args(fake.url, '--images', '4', '--vary', '2.ms=1..40'));
    const outcomes = toldIn(bench.out).map(([, outcome]) => 'failed' in outcome);
    const failed = outcomes.filter(Boolean).length;
    expect([code, outcomes.length - failed, lastLine(stdout).failed]).toEqual([3, 4, failed]);
    expect(failed).toBeGreaterThan(0);
  });

  it("gives out no image that the scorer's own policy rejects, and says how many were", async () => {
    const [fake, bench] = [await host(), studyBench()];
    const policy = { aspects: { quality: { minScore: 4.9 } }, unsureWithinInterval: false };
    writeModel(join(bench.folder, 'models'), { edit: (manifest) => Object.assign(manifest, { policy }) });
    const args = bench
      .args(fake.url, '--images', '3', '--keep', '2')
      .filter((a) => a !== '--format' && a !== 'jsonl');
    const { code, stdout } = await assay(args);
    expect([code, stdout]).toEqual([
      3,
      expect.stringContaining('is spent: 0 of 2 images kept, 3 rejected\n'),
    ]);
    expect(stdout).toMatch(/^t1 .*rejected: quality \d\.\d+ is below 4\.9/m);
    expect(winnersIn(bench.out)).toEqual([]);
  });

  it('goes on after failures that ended it, once what made them fail is mended', async () => {
    const fake = await host();
    const fails = { isOn: true };
    fake.settings.atStep = () => {
      if (fails.isOn) throw new Error('out of memory');
    };
    const bench = studyBench(seeded({ steps: 1 }));
    const ended = await assay(bench.args(fake.url, '--images', '3'));
    expect([ended.code, lastLine(ended.stdout).done.reason]).toEqual([3, 'failures']);
    const again = await assay(bench.again(fake.url));
    expect([again.code, lastLine(again.stdout).done.reason]).toEqual([3, 'failures']);
    const made = () => toldIn(bench.out).filter(([, outcome]) => 'images' in outcome).length;
    expect([toldIn(bench.out).length >= 10, made()]).toEqual([true, 0]);
    fails.isOn = false;
    const mended = await assay(bench.again(fake.url));
    expect([lastLine(mended.stdout).done.reason, made()]).toEqual(['images', 3]);
  });

  it('refuses a host that makes nothing new', async () => {
    const graph = {
      ...seeded(),
      '5': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed: 4, strength: 1 } },
    };
    const [fake, bench] = [await host(), studyBench(graph)];
    const { code, stderr } = await assay(bench.args(fake.url, '--vary', '5.seed'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/NOTHING_NEW.*trial t\d.*of trial t\d/s)]);
  });
});
