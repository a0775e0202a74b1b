/**
 * A ComfyUI for tests, as far as a client can see: queue, history, files, events, and its nasty habits.
 *
 * @example
 * const comfy = await startFake();
 * comfy.addRun({ images: [png] });   // somebody's finished run
 * comfy.cut();                       // every socket breaks
 * await comfy.restart();             // same address, empty history
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Life, type Lives, startLives } from '../lives.ts';
import type { TestHost } from '../test-host.ts';
import type { Graph } from './graphs.ts';
import { createHub, type Hub } from './hub.ts';
import type { SavedFile } from './nodes.ts';
import { handle, type Seen } from './routes.ts';
import { DEFAULTS, type Settings } from './settings.ts';
import { createFiles, type Files, type HistoryEntry } from './store.ts';
import { createWorker, queueInfo, type Worker } from './worker.ts';

export interface FakeRun {
  images?: Uint8Array[];
  id?: string;
  /** API-format graph; the images come from node `9`. */
  graph?: Graph;
  type?: 'output' | 'temp';
  /** Name of the files, with subfolders. */
  prefix?: string;
  status?: 'success' | 'error' | 'interrupted';
}

export interface FakeHost extends TestHost, Pick<Lives, 'down' | 'up'> {
  readonly settings: Settings;
  /** Requests so far, with the text that came. */
  readonly seen: Seen[];
  readonly history: Map<string, HistoryEntry>;
  readonly hub: Hub;
  readonly worker: Worker;
  /** A run of somebody else that has just ended: its files, its history, its `status` broadcast. */
  addRun(run: FakeRun): { id: string; files: SavedFile[] };
  /** Breaks every socket. */
  cut(): void;
  /** Sockets stay open and hear nothing more. */
  deafen(): void;
}

interface FakeLife extends Life {
  hub: Hub;
  worker: Worker;
}

/** @param options `prefix`: path that it lives under, like `/comfy`; the rest as in Settings */
export async function startFake(
  options: Partial<Settings> & { prefix?: string; port?: number } = {},
): Promise<FakeHost> {
  const { prefix = '', port: wanted = 0, ...changes } = options;
  const settings: Settings = { ...DEFAULTS, ...changes };
  const baseDir = mkdtempSync(join(tmpdir(), 'assay-fake-'));
  const files = createFiles(baseDir);
  const seen: Seen[] = [];

  function begin(): FakeLife {
    files.clearTemp();
    let worker: Worker;
    const hub: Hub = createHub(
      settings,
      () => queueInfo(worker),
      (id) => {
        const { node, client } = worker.now;
        if (client === id && node !== null) hub.send('executing', { node }, id);
      },
    );
    worker = createWorker(hub, files, settings);
    const host = { worker, files, settings };
    return {
      ...{ hub, worker },
      answer: (request, response) => void handle(host, prefix, seen, request, response),
      upgrade(request, socket, head) {
        const isSocket =
          request.url!.startsWith(`${prefix}/ws`) || request.url!.startsWith(`${prefix}/api/ws`);
        const mayEnter = settings.allows?.(request) ?? true;
        if (isSocket && mayEnter && settings.fault?.('GET', '/ws') === undefined)
          hub.upgrade(request, socket, head);
        else socket.destroy();
      },
      end() {
        worker.end();
        hub.close();
      },
    };
  }

  const lives = await startLives(baseDir, begin, wanted);
  const { down, up, restart, stop } = lives;
  return {
    ...{
      url: `http://127.0.0.1:${lives.port}${prefix}`,
      baseDir,
      outputDir: files.outputDir,
      settings,
      seen,
    },
    ...{ down, up, restart, stop },
    get history() {
      return lives.now.worker.history;
    },
    get hub() {
      return lives.now.hub;
    },
    get worker() {
      return lives.now.worker;
    },
    addRun: (run) => addRun(lives.now, files, run),
    cut: () => lives.now.hub.cut(),
    deafen: () => lives.now.hub.deafen(),
  };
}

const CLOSING = {
  success: 'execution_success',
  error: 'execution_error',
  interrupted: 'execution_interrupted',
};

function addRun({ worker }: FakeLife, files: Files, run: FakeRun): { id: string; files: SavedFile[] } {
  const { images = [], id = crypto.randomUUID(), graph = {}, type = 'output', prefix = 'ComfyUI' } = run;
  const { status = 'success' } = run;
  const saved = images.map((bytes) => files.write(bytes, type, prefix));
  const about = { prompt_id: id, timestamp: Date.now() };
  const messages: [string, object][] = [
    ['execution_start', about],
    ['execution_cached', { ...about, nodes: [] }],
    [CLOSING[status], { ...about, node_id: '9', node_type: 'SaveImage', exception_message: 'it broke' }],
  ];
  worker.history.set(id, {
    prompt: [worker.history.size, id, graph, {}, ['9']],
    outputs: saved.length > 0 ? { '9': { images: saved } } : {},
    status: {
      status_str: status === 'success' ? 'success' : 'error',
      completed: status === 'success',
      messages,
    },
    meta: {},
  });
  worker.announce();
  return { id, files: saved };
}
