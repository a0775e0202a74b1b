/** `assay calibrate previews` and `assay best --previews` as users run them, on the fake host. */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Calibration, calibrationSchema, usablePoints } from '../../src/loops/previews/calibration.ts';
import type { Outcome, StudyEvent } from '../../src/loops/study/types.ts';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { type FakeHost, startFake } from '../support/comfyui/fake.ts';
import {
  type Bench,
  benchIn,
  journalOf,
  sampled,
  seeded,
  studyBench,
  toldIn,
  winnersIn,
} from '../support/studying.ts';

async function host(): Promise<FakeHost> {
  const fake = await startFake();
  fake.settings.isPatient = true;
  onTestFinished(() => fake.stop());
  return fake;
}

const lastLine = (text: string) => JSON.parse(text.trimEnd().split('\n').at(-1)!);
const calibrationOf = (bench: Bench): string => bench.workflow.replace('.json', '.previews.json');

const STEPS = { steps: 10, ms: 8 };

let measured: string;

/** A workflow whose previews were measured: once, since the same workflow of the same scorer is the same anywhere. */
function calibrated(): Bench & { calibration: Calibration } {
  const bench = studyBench(sampled(STEPS));
  writeFileSync(calibrationOf(bench), measured);
  return { ...bench, calibration: calibrationSchema.parse(JSON.parse(measured)) };
}

/** Whether a preview of the trial of that run was scored, as the journal tells. */
function isLookedAt({ out }: Bench, run: string): boolean {
  const lines = journalOf(out) as (StudyEvent | { submitted: string; run: string })[];
  const trial = lines.flatMap((line) => ('submitted' in line && line.run === run ? [line.submitted] : []))[0];
  return lines.some((line) => 'previewed' in line && line.previewed === trial);
}

/** The host waits behind the first step that previews are looked at until that was done: a machine may be slow. */
function waitForLooks(fake: FakeHost, bench: Bench & { calibration: Calibration }): void {
  const first = usablePoints(bench.calibration, 0.8)[0]!.step;
  fake.settings.atStep = async (run, step) => {
    if (step !== first + 1) return;
    // Nobody looks while the tool is dead.
    await expect
      .poll(() => isLookedAt(bench, run), { timeout: 4000 })
      .toBe(true)
      .catch(() => undefined);
  };
}

const prunedIn = (bench: Bench): [string, Outcome][] =>
  toldIn(bench.out).filter(([, outcome]) => 'pruned' in outcome);

describe('previews', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    const fake = await startFake();
    fake.settings.isPatient = true;
    const folder = mkdtempSync(join(tmpdir(), 'assay-'));
    try {
      const bench = benchIn(folder, sampled(STEPS), 'calibrate previews');
      const args = bench.args(fake.url, '--images', '24', '--by', 'quality', '--seed', '3');
      const { code, stdout, stderr } = await assay(args);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      measured = readFileSync(calibrationOf(bench), 'utf8');
      expect(lastLine(stdout).calibration).toBe(calibrationOf(bench));
    } finally {
      await fake.stop();
      rmSync(folder, { recursive: true });
    }
  }, 120_000);

  it('are measured, and stop what is not worth finishing', async () => {
    const fake = await host();
    const bench = calibrated();
    const { subject, images, points, samplers } = bench.calibration;
    expect([images, subject.by, subject.method, samplers]).toEqual([
      24,
      'quality',
      'latent2rgb',
      [{ node: '2', steps: 10 }],
    ]);
    expect(points.at(-1)!.srcc).toBeGreaterThan(0.95);
    expect(points[0]!.interval![0]).toBeLessThan(points.at(-1)!.interval![0]);

    waitForLooks(fake, bench);
    const cancelled = () => fake.seen.filter(({ path }) => path === '/interrupt').length;
    const { code, stdout, stderr } = await assay(
      bench.args(fake.url, '--images', '16', '--by', 'quality', '--previews'),
    );
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('nothing is stopped early')]);
    const pruned = prunedIn(bench);
    expect(pruned.length).toBeGreaterThan(2);
    expect(cancelled()).toBeGreaterThanOrEqual(pruned.length);
    const told = lastLine(stdout);
    expect(told).toMatchObject({ pruned: pruned.length, done: { reason: 'images' } });
    expect(told.early.spared).toBeGreaterThan(0);
    const usable = new Set(
      points.filter(({ interval, share }) => interval![0] >= 0.8 && share < 1).map(({ step }) => step),
    );
    for (const [, outcome] of pruned) {
      if (!('pruned' in outcome)) continue;
      expect(usable).toContain(outcome.pruned.preview.step);
      expect(outcome.pruned.share).toBeLessThanOrEqual(1);
    }
    // More seeds for the same work, and none of those that were stopped is kept or has a file.
    expect(toldIn(bench.out).length).toBeGreaterThan(16);
    for (const [id] of pruned) expect(existsSync(`${bench.out}/images/${id}.png`)).toBe(false);
    expect(winnersIn(bench.out)).toHaveLength(1);
    const page = readFileSync(told.report, 'utf8');
    expect(page).toContain('Stopped early');
    expect(page).toContain('which spared');
  });

  it('keep a study that is killed whole: each trial counts once, and what was stopped stays so', async () => {
    const fake = await host();
    const bench = calibrated();
    waitForLooks(fake, bench);
    const args = bench.args(fake.url, '--images', '14', '--by', 'quality', '--previews');
    const killed = start(args);
    let lines = 0;
    const isUnderWay = new Promise<void>((resolve) => {
      killed.stdout!.on('data', (chunk) => {
        lines += String(chunk).split('\n').length - 1;
        if (lines >= 6) resolve();
      });
    });
    await isUnderWay;
    killed.kill('SIGKILL');
    await once(killed, 'close');
    const before = toldIn(bench.out);
    const { code, stdout } = await outcomeOf(start(bench.again(fake.url)));
    expect([code, lastLine(stdout).done.reason]).toEqual([0, 'images']);
    const ids = toldIn(bench.out).map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(toldIn(bench.out).slice(0, before.length)).toEqual(before);
    expect(prunedIn(bench).length).toBeGreaterThan(0);
    expect(journalOf(bench.out).some((event) => 'previewed' in event)).toBe(true);
  });

  it('stop nothing where the calibration is of something else, and it is said why', async () => {
    const fake = await host();
    const bench = calibrated();
    const path = calibrationOf(bench);
    const whole = bench.calibration;
    const few = ['--images', '3', '--by', 'quality', '--previews'];
    let n = 0;
    const tried = async (changes: object, ...more: string[]) => {
      writeFileSync(path, JSON.stringify({ ...whole, ...changes }));
      const { code, stderr } = await assay(
        bench.args(fake.url, ...few, ...more, '--out', `${bench.out}-${n++}`),
      );
      return [code, /nothing is stopped early: (.*)/.exec(stderr)?.[1]];
    };
    const subject = (changes: object) => ({ subject: { ...whole.subject, ...changes } });
    expect(await tried(subject({ workflow: 'x' }))).toEqual([0, 'the calibration is of another workflow']);
    expect(await tried({}, '--vary', '2.steps=4,8')).toEqual([
      0,
      expect.stringContaining('more than the seed'),
    ]);
    expect(await tried(subject({ size: [9, 9] }))).toEqual([0, expect.stringContaining('9 × 9 pixels')]);
    expect(await tried(subject({ scorer: { ...whole.subject.scorer, weights: 'sha256:0' } }))).toEqual([
      0,
      'the calibration is of another scorer',
    ]);
    writeFileSync(path, '{"version": 1}');
    const damaged = await assay(bench.args(fake.url, ...few));
    expect([damaged.code, damaged.stderr]).toEqual([2, expect.stringMatching(/PREVIEWS_INVALID/)]);
  });

  it('that do not come are told of once, with or without a calibration', async () => {
    const fake = await host();
    const bench = calibrated();
    fake.settings.previews = false;
    const silent = await assay(bench.args(fake.url, '--images', '4', '--by', 'quality', '--previews'));
    expect([silent.code, silent.stderr.match(/no previews come/g)?.length]).toEqual([0, 1]);
    const other = studyBench(sampled(), 'calibrate previews');
    const none = await assay(other.args(fake.url, '--images', '12'));
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/PREVIEWS_NONE.*--preview-method/s)]);
    // All but the last have previews: one too few.
    let made = 0;
    fake.settings.atStep = (_run, step) => {
      if (step === 1) fake.settings.previews = ++made < 10;
    };
    const sparse = studyBench(sampled({ steps: 3 }), 'calibrate previews');
    const few = await assay(sparse.args(fake.url, '--images', '10', '--by', 'quality'));
    expect([few.code, few.stderr]).toEqual([
      2,
      expect.stringMatching(
        /PREVIEWS_FEW.*9 images have a quality beside previews that have one, and it takes 10 /,
      ),
    ]);
    const without = studyBench(seeded());
    const bare = await assay(without.args(fake.url, '--images', '2', '--previews'));
    expect([bare.code, bare.stderr]).toEqual([
      0,
      expect.stringMatching(/nothing is stopped early: there is no /),
    ]);
  });

  it('of a batch, of too few images, or asked for wrongly are refused', async () => {
    const fake = await host();
    const batch = studyBench(sampled({ count: 2 }), 'calibrate previews');
    const several = await assay(batch.args(fake.url, '--images', '12'));
    expect([several.code, several.stderr]).toEqual([
      2,
      expect.stringMatching(/PREVIEWS_BATCH.*makes 2 images/s),
    ]);
    const bench = studyBench(sampled(), 'calibrate previews');
    const few = await assay(bench.args(fake.url, '--images', '4'));
    expect([few.code, few.stderr]).toEqual([2, expect.stringMatching(/--images 4: it takes at least 10/)]);
    const best = studyBench(sampled());
    for (const [flags, words] of [
      [['--demand', '0.5'], /--demand is of previews/],
      [['--previews', '--demand', '2'], /rank correlation above 0, up to 1/],
      [['--previews', 'nowhere.json'], /nowhere\.json/],
    ] as const) {
      const { code, stderr } = await assay(best.args(fake.url, ...flags));
      expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
    }
  });
});
