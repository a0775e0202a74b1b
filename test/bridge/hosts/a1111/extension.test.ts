/** The extension in real hosts of the family, put there by our command and driven through their API. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startDaemonUnderTest } from '../../../../src/bench/daemon.ts';
import { REALS, type RealWebui, START_MS } from '../../../support/a1111/real.ts';
import { pictures } from '../../../support/a1111/requests.ts';
import { assay } from '../../../support/cli.ts';
import { writeModel } from '../../../support/models.ts';

const JOB_MS = 120_000;
const SEED = 1;

interface Judged {
  seed: number;
  label: string;
  stays: boolean;
  aspects: { quality?: { score: number; percentile: number } };
  error: string | null;
}

interface Made {
  status: number;
  images: string[];
  info: { infotexts: string[]; all_seeds: number[]; all_prompts: string[] };
  report: { summary: string; notes: string[]; seconds: number; images: Judged[] } | undefined;
}

const seedOf = (infotext: string): number => Number(/(?:^|[\s,])Seed: (\d+)/.exec(infotext)?.[1]);
/** The pixels of a picture as text, to be compared. */
const pixelsOf = async (image: string): Promise<string> =>
  (await sharp(Buffer.from(image, 'base64')).removeAlpha().raw().toBuffer()).toString('base64');
const filesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.png'))
    : [];

for (const real of REALS)
  describe.skipIf(!real.isThere)(
    `the extension in a real ${real.title}${real.isThere ? '' : ` (skipped: ${real.variable} is not set)`}`,
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'assay-extension-'));
      const dataDir = join(folder, 'data');
      let daemon: Awaited<ReturnType<typeof startDaemonUnderTest>>;
      let webui: RealWebui;
      /** Quality of the images of the seeds from SEED on, and between which of them lies the middle. */
      let scores: number[] = [];
      let middle = Number.NaN;
      let plain: Made;

      beforeAll(async () => {
        writeModel(join(folder, 'models'));
        daemon = await startDaemonUnderTest([
          ...['--data-dir', dataDir, '--models', join(folder, 'models'), '--scorer', 'test-bright'],
        ]);
        webui = await real.start({
          env: { ASSAY_URL: daemon.url },
          prepare: async (baseDir) => {
            mkdirSync(join(baseDir, 'extensions'));
            const { code, stdout } = await assay(['install', 'a1111', baseDir]);
            expect([code, stdout]).toEqual([0, expect.stringContaining("installed: Assay's extension")]);
          },
        });
        // SD.Next answers before its model is loaded, and then with nothing.
        await vi.waitFor(async () => expect((await make({ batch_size: 1 }, {})).images).toHaveLength(1), {
          timeout: JOB_MS,
          interval: 1000,
        });
        plain = await make({ batch_size: 8 }, {});
        scores = plain.report!.images.map(({ aspects }) => aspects.quality!.score);
        const sorted = scores.toSorted((a, b) => a - b);
        middle = (sorted[3]! + sorted[4]!) / 2;
      }, START_MS + JOB_MS);
      afterAll(async () => {
        await webui?.stop();
        await daemon?.stop();
        rmSync(folder, { recursive: true, force: true });
      });

      async function make(request: object, args?: object | unknown[], route = 'txt2img'): Promise<Made> {
        const asked = args && {
          alwayson_scripts: {
            Assay: { args: Array.isArray(args) ? args : [{ measure: 'MOS', threshold: 0, ...args }] },
          },
        };
        const answer = await fetch(`${webui.url}/sdapi/v1/${route}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ ...pictures({ seed: SEED }), ...request, ...asked }),
        });
        const { images, info } = (await answer.json()) as { images: string[]; info: string };
        const told = info === '' ? { infotexts: [] } : JSON.parse(info);
        // A grid comes first where the host saves one.
        const first = told.index_of_first_image ?? 0;
        return {
          status: answer.status,
          images: images.slice(first),
          info: { ...told, infotexts: told.infotexts.slice(first) },
          report: told.extra_generation_params?.Assay,
        };
      }

      const good = (from: number, count: number): number[] =>
        Array.from({ length: count }, (_, i) => SEED + from + i).filter(
          (seed) => scores[seed - SEED]! >= middle,
        );

      it('marks each image', () => {
        expect(plain.status).toBe(200);
        expect(plain.images).toHaveLength(8);
        for (const [i, text] of plain.info.infotexts.entries()) {
          expect(seedOf(text)).toBe(SEED + i);
          expect(text).toContain(`Assay quality: ${scores[i]!.toFixed(2)}`);
          expect(text).toContain('Assay verdict: accepted');
        }
      });

      it(
        'saves and sends exactly the accepted images, with their seeds',
        async () => {
          const before = filesIn(webui.outputDir);
          const made = await make(
            { batch_size: 8, save_images: true },
            { action: 'drop', threshold: middle },
          );
          expect(made.status).toBe(200);
          expect(made.info.infotexts.map(seedOf)).toEqual(good(0, 8));
          expect(made.info.all_seeds).toEqual(good(0, 8));
          expect(made.images).toHaveLength(4);
          for (const [i, seed] of made.info.all_seeds.entries())
            expect(await pixelsOf(made.images[i]!)).toBe(await pixelsOf(plain.images[seed - SEED]!));
          const saved = filesIn(webui.outputDir).filter(
            (path) => !before.includes(path) && !/grid/.test(path),
          );
          expect(saved).toHaveLength(4);
        },
        JOB_MS,
      );

      it(
        'ends well when none passes',
        async () => {
          const made = await make({ batch_size: 2 }, { action: 'drop', threshold: 5 });
          expect([made.status, made.images, made.report!.summary]).toEqual([
            200,
            [],
            '2 images: 2 rejected, dropped',
          ]);
        },
        JOB_MS,
      );

      it(
        'makes batches until so many are kept, and no more than it may',
        async () => {
          const made = await make(
            { batch_size: 2 },
            { action: 'drop', threshold: middle, keep: 2, at_most: 8 },
          );
          const wanted = good(0, 8).slice(0, 2);
          expect(made.info.infotexts.map(seedOf)).toEqual(wanted);
          expect(made.info.all_seeds).toEqual(wanted);
          const rounds = Math.ceil((wanted[1]! - SEED + 1) / 2);
          expect(made.report!.notes).toEqual([`2 of 2 kept, ${2 * rounds} made`]);
          const few = await make({ batch_size: 2 }, { action: 'drop', threshold: 5, keep: 1, at_most: 3 });
          expect([few.status, few.images]).toEqual([200, []]);
          expect(few.report!.notes).toEqual(['0 of 1 kept, 3 made']);
        },
        JOB_MS,
      );

      it(
        'varies the best so far',
        async () => {
          const made = await make({ batch_size: 2 }, { threshold: 5, keep: 1, at_most: 4, vary: 0.1 });
          const best = scores[0]! >= scores[1]! ? SEED : SEED + 1;
          expect(made.report!.images.map(({ seed }) => seed)).toEqual([SEED, SEED + 1, best, best]);
          const [, , third, fourth] = await Promise.all(made.images.map(pixelsOf));
          expect(third).not.toBe(await pixelsOf(plain.images[best - SEED]!));
          expect(fourth).not.toBe(third);
        },
        JOB_MS,
      );

      it(
        'moves rejected images where the command line finds them',
        async () => {
          const made = await make({ batch_size: 2 }, { action: 'move', threshold: 5 });
          expect([made.status, made.images]).toEqual([200, []]);
          const { stdout } = await assay(['rejects', 'list', '--format', 'json', '--data-dir', dataDir]);
          const { rejects } = JSON.parse(stdout) as {
            rejects: { id: string; original: string; path: string }[];
          };
          expect(rejects).toHaveLength(2);
          const back = await assay(['rejects', 'restore', '--all', '--data-dir', dataDir]);
          expect([back.code, rejects.every(({ original }) => existsSync(original))]).toEqual([0, true]);
          expect(rejects[0]!.original.startsWith(webui.baseDir) || real.title === 'SD.Next').toBe(true);
          const { stdout: prompt } = await assay(['prompt', rejects[0]!.original]);
          expect(prompt).toContain('a fox in the snow');
          for (const { original } of rejects) rmSync(original);
        },
        JOB_MS,
      );

      it(
        'judges img2img and inpainting, with several images to begin from',
        async () => {
          const [a, b] = plain.images as [string, string];
          const begin = { init_images: [a], denoising_strength: 0.8, batch_size: 2 };
          const made = await make(begin, { action: 'drop', threshold: 0.01 }, 'img2img');
          expect([made.status, made.images.length]).toEqual([200, 2]);
          const mask = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#000' } })
            .composite([
              {
                input: { create: { width: 32, height: 64, channels: 3, background: '#fff' } },
                left: 0,
                top: 0,
              },
            ])
            .png()
            .toBuffer();
          const painted = await make(
            {
              ...begin,
              init_images: [a, b].slice(0, real.title === 'Forge' ? 2 : 1),
              mask: mask.toString('base64'),
            },
            { action: 'drop', threshold: 0.01 },
            'img2img',
          );
          expect(painted.status).toBe(200);
          expect(painted.images.length).toBeGreaterThan(0);
          for (const text of painted.info.infotexts) expect(text).toContain('Assay quality: ');
        },
        JOB_MS,
      );

      it(
        'passes what is interrupted',
        async () => {
          const making = make({ batch_size: 1, steps: 60, n_iter: 2 }, { action: 'drop', threshold: 5 });
          await expect
            .poll(
              async () => {
                const progress = await fetch(`${webui.url}/sdapi/v1/progress?skip_current_image=true`);
                return ((await progress.json()) as { state: { sampling_step: number } }).state.sampling_step;
              },
              { timeout: JOB_MS, interval: 300 },
            )
            .toBeGreaterThan(1);
          await fetch(`${webui.url}/sdapi/v1/interrupt`, { method: 'POST' });
          const made = await making;
          expect([made.status, made.images.length]).toEqual([200, 1]);
        },
        JOB_MS,
      );

      it(
        'names arguments that make no sense, and harms nothing',
        async () => {
          const made = await make({ batch_size: 1 }, [true, 'drop', 'percentile', 30]);
          expect([made.status, made.images.length]).toEqual([200, 1]);
          expect(JSON.stringify(made.report)).toContain('between 0 and 1, not 30');
        },
        JOB_MS,
      );

      it(
        'does nothing to others',
        async () => {
          const made = await make({ batch_size: 1 });
          expect([made.report, /Assay/.test(made.info.infotexts[0]!)]).toEqual([undefined, false]);
        },
        JOB_MS,
      );

      // The last one: the daemon is gone behind it.
      it(
        'loses no image and two seconds at most when the daemon goes',
        async () => {
          await daemon.stop();
          await pause(100);
          const made = await make({ batch_size: 2 }, { action: 'drop', threshold: 5 });
          expect([made.status, made.images.length]).toEqual([200, 2]);
          expect(made.info.infotexts[0]).toContain('Assay failure: DAEMON_UNREACHABLE');
          expect(made.report!.seconds).toBeLessThan(2);
        },
        JOB_MS,
      );
    },
  );
