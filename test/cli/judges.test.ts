/** Judges elsewhere as users have them: in a config file, at the command line, in the daemon; calibrated by ratings. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { assay, serve } from '../support/cli.ts';
import {
  type Answer,
  type Endpoint,
  imageOf,
  rates,
  says,
  startEndpoint,
  wordsOf,
} from '../support/endpoint.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png, type Raw } from '../support/images.ts';

const IMAGES = 40;

/** A model that rates by brightness: of 0 to 255, the mean is `1 + 4 × brightness`, between two neighbouring words. */
const byBrightness: Answer = async (response, asked) => {
  const { channels } = await sharp(imageOf(asked)!).stats();
  const level = (4 * channels[0]!.mean) / 255;
  const words = ['bad', 'poor', 'fair', 'good', 'excellent'];
  const below = Math.min(3, Math.floor(level));
  const share = level - below;
  const [likely, other] = [[words[below]!, 1 - share] as const, [words[below + 1]!, share] as const].sort(
    (a, b) => b[1] - a[1],
  ) as [readonly [string, number], readonly [string, number]];
  rates({ [likely[0]]: likely[1], ...(other[1] > 0 && { [other[0]]: other[1] }) })(response, asked);
};

/** A picture of about that brightness, with enough in it that no guard trips. */
function shaded(level: number): Raw {
  const { data, ...size } = picture(64, 64);
  return { data: data.map((value) => Math.min(255, Math.max(0, level + 0.3 * (value - 128)))), ...size };
}

interface Bench {
  folder: string;
  config: string;
  images: string;
  ratings: string;
  args: string[];
}

/** A config with the judge `vlm`, and images that people rate by the square of their brightness, 0 to 100. */
async function bench({ url }: Endpoint, judge: object = {}): Promise<Bench> {
  const folder = tempFolder();
  const config = join(folder, 'assay.json');
  const settings = { dataDir: join(folder, 'data'), judges: { vlm: { url, model: 'tiny', ...judge } } };
  writeFileSync(config, JSON.stringify(settings));
  const images = join(folder, 'images');
  mkdirSync(images);
  const rows = ['name,mos_quality,prompt'];
  for (let i = 0; i < IMAGES; i++) {
    const share = 0.1 + (0.8 * i) / (IMAGES - 1);
    writeFileSync(join(images, `${i}.png`), await png(shaded(255 * share)));
    const opinion = 100 * share ** 2 + (i % 3) - 1;
    rows.push(`${i}.png,${opinion.toFixed(2)},shade ${i % 8}`);
  }
  const ratings = join(folder, 'mos.csv');
  writeFileSync(ratings, `${rows.join('\n')}\n`);
  return { folder, config, images, ratings, args: ['--config', config, '--scorer', 'vlm'] };
}

const calibrate = ({ args, images, ratings }: Bench, ...more: string[]) =>
  assay(['calibrate', 'ratings', ...args, '--images', images, '--ratings', ratings, ...more]);

const resultsIn = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('a judge elsewhere', () => {
  it('is calibrated by ratings, and has percentile and interval from then on', async () => {
    const endpoint = await startEndpoint(byBrightness);
    const given = await bench(endpoint);
    const score = async () =>
      resultsIn(
        (await assay(['score', join(given.images, '20.png'), ...given.args, '--format', 'jsonl'])).stdout,
      )[0];
    const before = await score();
    expect(before.aspects.quality).toMatchObject({ percentile: null, interval: null, coverage: null });
    expect(before.notes.join()).toContain('assay calibrate ratings --scorer vlm');

    const { code, stdout, stderr } = await calibrate(given, '--range', '0..100', '--json');
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
    const told = JSON.parse(stdout);
    expect(told.aspects.quality).toMatchObject({ n: IMAGES, ci: { srcc: null } }); // eight prompts are too few for an interval
    expect(told.aspects.quality.srcc).toBeGreaterThan(0.97);
    expect(told.aspects.quality.coverage).toBeGreaterThanOrEqual(0.8);
    expect(told.aspects.alignment).toBeUndefined();

    const after = await score();
    const { score: value, percentile, interval, coverage, raw } = after.aspects.quality;
    const share = 0.1 + (0.8 * 20) / (IMAGES - 1);
    expect(raw).toBeCloseTo(before.aspects.quality.score, 6);
    expect(Math.abs(value - (1 + 4 * share ** 2))).toBeLessThan(0.15);
    expect(percentile).toBeCloseTo(20 / (IMAGES - 1), 1);
    expect(coverage).toBe(0.9);
    expect(interval[0]).toBeLessThan(value);
    expect(interval[1]).toBeGreaterThan(value);
    expect(after.notes.join()).not.toContain('not calibrated: the');
    expect(after.scorer.calibration).toMatch(/^sha256:/);
    const stored = JSON.parse(readFileSync(told.file, 'utf8'));
    expect(stored).toMatchObject({ reads: 'probabilities', fittedOn: `${IMAGES} images of mos.csv` });

    // Another model is another judge: what was fitted says nothing of it.
    const other = JSON.parse(readFileSync(given.config, 'utf8'));
    other.judges.vlm.model = 'large';
    writeFileSync(given.config, JSON.stringify(other));
    const moved = await score();
    expect(moved.aspects.quality.percentile).toBeNull();
    expect(moved.notes.join()).toContain('its calibration is of another model');
  });

  it('that only says words is calibrated by these', async () => {
    const endpoint = await startEndpoint(async (response, asked) => {
      const { channels } = await sharp(imageOf(asked)!).stats();
      const words = ['bad', 'poor', 'fair', 'good', 'excellent'];
      says(words[Math.round((4 * channels[0]!.mean) / 255)]!)(response, asked);
    });
    const given = await bench(endpoint);
    const { code, stdout } = await calibrate(given, '--range', '0..100');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/quality\s+40\s+0\.9/)]);
    const file = join(given.folder, 'data', 'judges', 'vlm.json');
    expect(JSON.parse(readFileSync(file, 'utf8')).reads).toBe('words');
  });

  it('is not calibrated by what does not fit: another scale, another scorer, answers that do not rise', async () => {
    const endpoint = await startEndpoint(rates({ good: 1 }));
    const given = await bench(endpoint);
    const scale = await calibrate(given);
    expect([scale.code, scale.stderr]).toEqual([2, expect.stringContaining('--range quality=LOW..HIGH')]);
    const flat = await calibrate(given, '--range', '0..100');
    expect([flat.code, flat.stderr]).toEqual([2, expect.stringMatching(/does not rise.*CALIBRATION_UNFIT/s)]);
    const folder = await calibrate({ ...given, args: ['--config', given.config, '--scorer', 'assay-lite'] });
    expect([folder.code, folder.stderr]).toEqual([
      2,
      expect.stringContaining('expected a judge of the config (vlm)'),
    ]);
  });

  it('is calibrated by what it does rate, and by no few images', async () => {
    const endpoint = await startEndpoint(async (response, asked) => {
      const { channels } = await sharp(imageOf(asked)!).stats();
      const answer = channels[0]!.mean < 40 ? says(null, { refusal: 'It is too dark.' }) : byBrightness;
      return answer(response, asked);
    });
    const given = await bench(endpoint);
    const { code, stdout } = await calibrate(given, '--range', '0..100');
    expect([code, stdout]).toEqual([
      3,
      expect.stringMatching(/could not be scored; the first: tiny refuses.*dark/),
    ]);
    const rows = readFileSync(given.ratings, 'utf8').split('\n');
    writeFileSync(given.ratings, rows.slice(0, 20).join('\n'));
    const few = await calibrate(given, '--range', '0..100');
    expect([few.code, few.stderr]).toEqual([2, expect.stringContaining('at least 30 are needed')]);
  });

  it('is evaluated like any scorer; without a calibration no error is told in its scale', async () => {
    const given = await bench(await startEndpoint(byBrightness));
    const out = join(given.folder, 'report');
    const { code, stdout } = await assay([
      ...['eval', ...given.args, '--images', given.images, '--ratings', given.ratings],
      ...['--range', '0..100', '--out', out],
    ]);
    expect([code, stdout]).toEqual([0, expect.stringContaining('are not calibrated')]);
    const { aspects } = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
    expect(aspects.quality).toMatchObject({ rmse: null, coverage: null });
    expect(aspects.quality.srcc).toBeGreaterThan(0.98);
  });

  it('serves over HTTP by its name, is listed, and its verdicts are remembered as they were', async () => {
    const endpoint = await startEndpoint(rates({ good: 0.5, fair: 0.5 }));
    const { config } = await bench(endpoint, { apiKey: 'sk-very-secret-key' });
    const { url, stop } = await serve(['--config', config, '--scorer', 'vlm']);
    const body = JSON.stringify({
      items: [{ id: 'a', prompt: 'a red cat', image: (await png(picture(64, 64))).toString('base64') }],
      scorer: 'vlm',
    });
    const response = await fetch(`${url}/v1/score`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const answer = (await response.json()) as { results: { aspects: Record<string, object> }[] };
    expect(answer.results[0]).toMatchObject({ error: null, scorer: { id: 'vlm' }, reward: 0.625 });
    const scorers = await (await fetch(`${url}/v1/scorers`)).text();
    expect(scorers).toContain('"vlm"');
    await expect
      .poll(async () => {
        const { entries } = (await (await fetch(`${url}/v1/history`)).json()) as {
          entries: { result: { aspects: object } }[];
        };
        return entries[0]?.result.aspects;
      })
      .toEqual(answer.results[0]!.aspects);
    expect(endpoint.asked[0]!.headers.authorization).toBe('Bearer sk-very-secret-key');
    expect(endpoint.asked.some((asked) => wordsOf(asked).includes('a red cat'))).toBe(true);
    expect(await stop()).toBe(0);
    expect(scorers).not.toContain('secret');
  });

  it('is shown by models and doctor, with where its images go', async () => {
    const endpoint = await startEndpoint(rates({ good: 1 }));
    const given = await bench(endpoint);
    const list = await assay(['models', 'list', '--config', given.config]);
    expect(list.stdout).toMatch(/vlm\s+1\s+quality, alignment/);
    const info = await assay(['models', 'info', 'vlm', '--config', given.config]);
    expect([info.code, info.stdout]).toEqual([0, expect.stringContaining('it is not calibrated')]);
    endpoint.models = ['other'];
    const away = { url: 'http://192.0.2.1:9/v1', model: 'far' };
    const settings = JSON.parse(readFileSync(given.config, 'utf8'));
    writeFileSync(given.config, JSON.stringify({ ...settings, judges: { ...settings.judges, away } }));
    const { stdout } = await assay(['doctor', '--config', given.config, '--scorer', 'assay-lite']);
    expect(stdout).toMatch(/judge vlm: tiny at 127\.0\.0\.1:\d+, on this machine/);
    expect(stdout).toContain('has no model tiny');
    expect(stdout).toContain(
      'judge away: far at 192.0.2.1:9: images and prompts that it judges leave this machine',
    );
  });
});
