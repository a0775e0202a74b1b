/**
 * A host of the AUTOMATIC1111 family for tests, as far as a client can see: its API by fork, its folders, and its habits.
 *
 * @example
 * const webui = await startFake({ fork: 'sdnext' });
 * webui.worker.run(askOfSomebodyElse);   // another client's job
 * await webui.restart();                 // same address, nothing remembered
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Life, type Lives, startLives } from '../lives.ts';
import type { TestHost } from '../test-host.ts';
import { handle, type Seen } from './routes.ts';
import { DEFAULTS, type Settings } from './settings.ts';
import { createWorker, type Worker } from './worker.ts';

export interface FakeWebui extends TestHost, Pick<Lives, 'down' | 'up'> {
  readonly settings: Settings;
  /** Requests so far. */
  readonly seen: Seen[];
  readonly worker: Worker;
}

interface FakeLife extends Life {
  worker: Worker;
}

export async function startFake(changes: Partial<Settings> = {}): Promise<FakeWebui> {
  const baseDir = mkdtempSync(join(tmpdir(), 'assay-webui-'));
  const outputDir = join(baseDir, 'outputs');
  const samples = join(outputDir, 'txt2img-images', '2026-01-01');
  mkdirSync(samples, { recursive: true });
  const settings: Settings = {
    ...DEFAULTS,
    options: {
      outdir_samples: '',
      outdir_txt2img_samples: 'outputs/txt2img-images',
      outdir_img2img_samples: 'outputs/img2img-images',
      outdir_grids: '',
      samples_format: 'png',
      show_progress_type: 'Approx NN',
    },
    flags: { data_dir: baseDir, api: true },
    ...changes,
  };
  const seen: Seen[] = [];
  let files = 0;
  const save = (bytes: Buffer, name: string) =>
    writeFileSync(join(samples, `${String(files++).padStart(5, '0')}-${name}`), bytes);

  const begin = (): FakeLife => {
    const worker = createWorker(settings, save);
    return {
      worker,
      answer: (request, response) => void handle({ settings, worker }, seen, request, response),
      end: () => worker.end(),
    };
  };
  const lives = await startLives(baseDir, begin);
  const { down, up, restart, stop } = lives;
  return {
    ...{ url: `http://127.0.0.1:${lives.port}`, baseDir, outputDir, settings, seen, down, up, restart, stop },
    get worker() {
      return lives.now.worker;
    },
  };
}
