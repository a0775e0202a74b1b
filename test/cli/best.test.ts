/** `assay best` as users run it, on the fake host: what it makes, keeps and writes, and what it survives. */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readScore } from '../../src/files/metadata/metadata.ts';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { type FakeHost, startFake } from '../support/comfyui/fake.ts';
import { flatImages } from '../support/comfyui/graphs.ts';
import { askedIn, seeded, studyBench, toldIn, winnersIn } from '../support/studying.ts';

async function host(): Promise<FakeHost> {
  const fake = await startFake();
  onTestFinished(() => fake.stop());
  return fake;
}

const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1)!);

describe('assay best', () => {
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

  it('varies what it is told to, and stops at enough keepers', async () => {
    const [fake, bench] = [await host(), studyBench()];
    writeFileSync(join(bench.folder, 'strengths.txt'), '0.1\n0.2\n\n');
    const { code, stdout } = await assay(
      bench.args(
        fake.url,
        '--vary',
        '3.seed',
        '--vary',
        `3.strength=@${join(bench.folder, 'strengths.txt')}`,
        '--vary',
        '2.steps=1..3',
        '--by',
        'quality',
        '--least',
        '2',
        '--keep',
        '2',
      ),
    );
    expect([code, lastLine(stdout).done.reason]).toEqual([0, 'keepers']);
    const asked = askedIn(bench.out).map(({ parameters }) => parameters);
    expect(new Set(asked.map((p) => p['3.strength'])).size).toBeLessThanOrEqual(2);
    for (const p of asked) expect([1, 2, 3]).toContain(p['2.steps']);
    const graphs = [...fake.history.values()].map(({ prompt }) => prompt[2] as ReturnType<typeof seeded>);
    expect(graphs[0]!['3']!.inputs).toMatchObject({
      seed: askedIn(bench.out)[0]!.seed,
      strength: asked[0]!['3.strength'],
    });
  });

  it('follows a link to the seed that is asked for', async () => {
    const graph = {
      ...seeded({ seed: ['7', 0] }),
      '7': { class_type: 'PrimitiveInt', inputs: { value: 5 } },
    };
    const [fake, bench] = [await host(), studyBench(graph)];
    const { stderr } = await assay(bench.args(fake.url));
    expect(stderr).toMatch(/seeds: 7\.value \(PrimitiveInt\)|WORKFLOW_REJECTED/);
  });

  it('stops at Ctrl-C with what it has, and goes on where it was to the same end', async () => {
    const [fake, whole, cut] = [await host(), studyBench(seeded({ ms: 30 })), studyBench(seeded({ ms: 30 }))];
    await assay(whole.args(fake.url, '--images', '8'));
    const child = start(cut.args(fake.url, '--images', '8'));
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect([code, lastLine(stdout).done]).toEqual([130, null]);
    expect(winnersIn(cut.out)).toHaveLength(1);
    expect(toldIn(cut.out).length).toBeLessThan(8);
    expect((await assay(cut.again(fake.url))).code).toBe(0);
    const ids = toldIn(cut.out).map(([id]) => id);
    expect(new Set(ids).size).toBe(8);
    expect(winnersIn(cut.out)).toEqual(winnersIn(whole.out));
    expect((await assay(cut.again(fake.url))).code).toBe(0);
    expect(toldIn(cut.out)).toHaveLength(8);
  });

  it('counts each trial once, whatever is killed, cut or restarted', async () => {
    const [fake, whole, cut] = [await host(), studyBench(seeded({ ms: 20 })), studyBench(seeded({ ms: 20 }))];
    await assay(whole.args(fake.url, '--images', '12'));
    for (const begin of [cut.args(fake.url, '--images', '12'), cut.again(fake.url)]) {
      const child = start(begin);
      await once(child.stdout!, 'data');
      fake.cut();
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    const child = start(cut.again(fake.url));
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    await fake.restart();
    expect((await ended).code).toBe(0);
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

  it('lets a trial fail alone', async () => {
    const fake = await host();
    let runs = 0;
    fake.settings.atStep = () => {
      if (++runs % 3 === 0) throw new Error('out of memory');
    };
    const bench = studyBench(seeded({ steps: 1 }));
    const { code } = await assay(bench.args(fake.url, '--images', '4', '--vary', '2.ms=1..40'));
    const outcomes = toldIn(bench.out).map(([, outcome]) => 'failed' in outcome);
    expect([code, outcomes.filter((failed) => !failed).length]).toEqual([0, 4]);
    expect(outcomes.filter(Boolean).length).toBeGreaterThan(0);
  });
});

describe('assay best refuses', () => {
  it('a host that makes nothing new', async () => {
    const graph = {
      ...seeded(),
      '5': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed: 4, strength: 1 } },
    };
    const [fake, bench] = [await host(), studyBench(graph)];
    const { code, stderr } = await assay(bench.args(fake.url, '--vary', '5.seed'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/trial t2.*of trial t1.*NOTHING_NEW/s)]);
    expect(winnersIn(bench.out)).toHaveLength(1);
  });

  it.each([
    ['no seed', flatImages(), [], /NO_SEED/],
    ['a workflow of the editor', { nodes: [], links: [] }, [], /Export \(API\).*WORKFLOW_UI_FORMAT/s],
    [
      'an input that is not there',
      seeded(),
      ['--vary', '3.sead=1,2'],
      /no input "3\.sead" \(did you mean 3\.seed\?\).*INPUT_UNKNOWN/s,
    ],
    ['an input without a value', seeded(), ['--vary', '3.image=1'], /from node 2.*INPUT_LINKED/s],
    ['text for a number', seeded(), ['--vary', '3.strength=much'], /"much" is no number.*USAGE/s],
    ['a budget of nothing', seeded(), ['--images', '0'], /at least 1/],
    ['a strategy that there is not', seeded(), ['--strategy', 'magic'], /strategy\.name.*STUDY_INVALID/s],
    ['a measure that there is not', seeded(), ['--by', 'beauty'], /--by beauty.*USAGE/s],
    ['a price of nothing', seeded(), ['--price', '0'], /--price 0.*USAGE/s],
  ])('%s', async (_, graph, more, message) => {
    const { code, stderr } = await assay(studyBench(graph).args('http://127.0.0.1:9', ...more));
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('a folder that holds a study, one that holds none, and one of another version', async () => {
    const [fake, bench] = [await host(), studyBench()];
    const none = await assay(bench.again(fake.url));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('STUDY_MISSING')]);
    await assay(bench.args(fake.url, '--images', '1'));
    const twice = await assay(bench.args(fake.url));
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining('STUDY_EXISTS')]);
    const other = await assay([...bench.again(fake.url), '--images', '9']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('--images')]);
    const plan = join(bench.out, 'study.json');
    const text = readFileSync(plan, 'utf8');
    writeFileSync(plan, text.replace('"version": 1', '"version": 2'));
    const later = await assay(bench.again(fake.url));
    expect([later.code, later.stderr]).toEqual([2, expect.stringMatching(/version 2.*STUDY_VERSION/s)]);
    writeFileSync(plan, text);
    writeFileSync(join(bench.out, 'journal.jsonl'), 'not JSON\n');
    const damaged = await assay(bench.again(fake.url));
    expect([damaged.code, damaged.stderr]).toEqual([2, expect.stringMatching(/line 1.*STUDY_DAMAGED/s)]);
    expect(existsSync(join(bench.out, 'images/t1.png'))).toBe(true);
  });

  it('a host that is away', async () => {
    const bench = studyBench();
    const { code, stderr } = await assay(bench.args('http://127.0.0.1:9'));
    expect([code, stderr]).toEqual([4, expect.stringContaining('HOST_UNREACHABLE')]);
    expect(existsSync(bench.out)).toBe(false);
  });
});
