/**
 * A host of the AUTOMATIC1111 family for tests, as far as a client can see: its API by fork, its folders, and its habits.
 *
 * @example
 * const webui = await startFake({ fork: 'sdnext' });
 * webui.worker.run(askOfSomebodyElse);   // another client's job
 * await webui.restart();                 // same address, nothing remembered
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestHost } from '../test-host.ts';
import { handle, type Seen } from './routes.ts';
import { DEFAULTS, type Settings } from './settings.ts';
import { createWorker, type Worker } from './worker.ts';

export interface FakeWebui extends TestHost {
  readonly settings: Settings;
  /** Requests so far. */
  readonly seen: Seen[];
  readonly worker: Worker;
  /** Goes away, as a process that ends. */
  down(): Promise<void>;
  /** Comes back at the same address. */
  up(): Promise<void>;
}

interface Life {
  worker: Worker;
  server: Server;
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

  async function begin(port: number): Promise<Life> {
    const worker = createWorker(settings, save);
    const server = createServer(
      (request, response) => void handle({ settings, worker }, seen, request, response),
    );
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return { worker, server };
  }

  let life = await begin(0);
  const { port } = life.server.address() as AddressInfo;
  const fake: FakeWebui = {
    ...{ url: `http://127.0.0.1:${port}`, baseDir, outputDir, settings, seen },
    get worker() {
      return life.worker;
    },
    async down() {
      life.worker.end();
      life.server.closeAllConnections();
      await new Promise((resolve) => life.server.close(resolve));
    },
    async up() {
      life = await begin(port);
    },
    async restart() {
      await fake.down();
      await fake.up();
    },
    async stop() {
      if (life.server.listening) await fake.down();
      rmSync(baseDir, { recursive: true, force: true });
    },
  };
  return fake;
}
