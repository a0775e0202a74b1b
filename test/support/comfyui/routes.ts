/** HTTP side of the fake host. */
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Graph } from './graphs.ts';
import { parseExact, writeLoose } from './json.ts';
import { NODES } from './nodes.ts';
import type { Settings } from './settings.ts';
import type { Files } from './store.ts';
import { validate } from './validate.ts';
import { queueInfo, type Worker } from './worker.ts';

export interface Seen {
  method: string;
  path: string;
  body: string;
}

interface Reply {
  status: number;
  body?: unknown;
  bytes?: Uint8Array;
}

interface Host {
  worker: Worker;
  files: Files;
  settings: Settings;
}

interface Ask {
  url: URL;
  body: string;
}

let number = 0;

function takePrompt({ worker }: Host, { body }: Ask): Reply {
  const sent = parseExact(body) as Record<string, never>;
  if (!sent.prompt)
    return { status: 400, body: { error: { type: 'no_prompt', message: 'No prompt provided' } } };
  const { error, nodeErrors, outputs } = validate(sent.prompt as Graph);
  if (error) return { status: 400, body: { error, node_errors: nodeErrors } };
  const id = String(sent.prompt_id ?? crypto.randomUUID());
  const extra = Object.assign({}, sent.extra_data, sent.client_id && { client_id: sent.client_id });
  worker.put([number++, id, sent.prompt, extra, outputs]);
  return { status: 200, body: { prompt_id: id, number, node_errors: nodeErrors } };
}

function changeQueue({ worker }: Host, { body }: Ask): Reply {
  const { clear, delete: ids = [] } = JSON.parse(body) as { clear?: boolean; delete?: string[] };
  if (clear) worker.pending.splice(0);
  for (const id of ids) worker.delete(id);
  return { status: 200 };
}

function interrupt({ worker, settings }: Host, { body }: Ask): Reply {
  const { prompt_id: id } = JSON.parse(body || '{}') as { prompt_id?: string };
  const isMeant = id === undefined || settings.interruptsAny || worker.running.some((item) => item[1] === id);
  if (isMeant) worker.interrupt();
  return { status: 200 };
}

function cancelJob({ worker }: Host, id: string): Reply {
  const isRunning = worker.running.some((item) => item[1] === id);
  if (isRunning) worker.interrupt();
  return { status: 200, body: { cancelled: isRunning || worker.delete(id) } };
}

function listHistory({ worker }: Host, { url }: Ask): Reply {
  const all = [...worker.history];
  const most = Number(url.searchParams.get('max_items') ?? all.length);
  const offset = Number(url.searchParams.get('offset') ?? Math.max(0, all.length - most));
  return { status: 200, body: Object.fromEntries(all.slice(offset, offset + most)) };
}

function oneHistory({ worker }: Host, id: string): Reply {
  const entry = worker.history.get(id);
  return { status: 200, body: entry ? { [id]: entry } : {} };
}

function viewFile({ files }: Host, { url }: Ask): Reply {
  const { filename = '', type = 'output', subfolder = '' } = Object.fromEntries(url.searchParams);
  if (!['output', 'temp', 'input'].includes(type) || filename.startsWith('/') || filename.includes('..'))
    return { status: 400 };
  const path = files.path(type, subfolder, basename(filename));
  if (path === null) return { status: 403 };
  return existsSync(path) ? { status: 200, bytes: readFileSync(path) } : { status: 404 };
}

const describeNodes = (): Reply => ({
  status: 200,
  body: Object.fromEntries(
    Object.entries(NODES).map(([name, { required, output }]) => [
      name,
      {
        input: { required: Object.fromEntries(required.map((r) => [r, ['*', {}]])) },
        name,
        output_node: output,
      },
    ]),
  ),
});

const stats = ({ settings }: Host): Reply => ({
  status: 200,
  body: {
    system: {
      os: 'posix',
      argv: settings.argv,
      ...(settings.version !== null && { comfyui_version: settings.version }),
    },
    devices: [{ name: 'cpu', type: 'cpu', index: null }],
  },
});

const ROUTES: Record<string, (host: Host, ask: Ask) => Reply> = {
  'POST /prompt': takePrompt,
  'GET /prompt': ({ worker }) => ({ status: 200, body: queueInfo(worker) }),
  'GET /queue': ({ worker }) => ({
    status: 200,
    body: { queue_running: worker.running, queue_pending: worker.pending },
  }),
  'POST /queue': changeQueue,
  'POST /interrupt': interrupt,
  'GET /history': listHistory,
  'GET /view': viewFile,
  'GET /object_info': describeNodes,
  'GET /system_stats': stats,
};

function answer(host: Host, method: string, ask: Ask): Reply {
  const path = ask.url.pathname.replace(/^\/api(?=\/(?!jobs))/, '');
  const route = ROUTES[`${method} ${path}`];
  if (route) return route(host, ask);
  const history = method === 'GET' && /^\/history\/([^/]+)$/.exec(path);
  if (history) return oneHistory(host, history[1]!);
  const job = method === 'POST' && host.settings.jobs && /^\/api\/jobs\/([^/]+)\/cancel$/.exec(path);
  if (job) return cancelJob(host, job[1]!);
  return { status: method === 'GET' ? 404 : 405 };
}

function send(response: ServerResponse, { status, body, bytes }: Reply): void {
  if (bytes) response.writeHead(status, { 'content-type': 'image/png' }).end(bytes);
  else if (body === undefined) response.writeHead(status, { 'content-type': 'text/plain' }).end(`${status}`);
  else response.writeHead(status, { 'content-type': 'application/json' }).end(writeLoose(body));
}

/** @param prefix path that the host lives under, like `/comfy`; empty at the top */
export async function handle(
  host: Host,
  prefix: string,
  seen: Seen[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url!, 'http://fake');
  const method = request.method!;
  const body = await text(request);
  seen.push({ method, path: url.pathname + url.search, body });
  if (!url.pathname.startsWith(`${prefix}/`)) return send(response, { status: 404 });
  url.pathname = url.pathname.slice(prefix.length);
  if (host.settings.allows && !host.settings.allows(request)) return send(response, { status: 401 });
  const fault = host.settings.fault?.(method, url.pathname);
  if (fault === 'hang') return;
  if (fault === 'reset') return void request.socket.destroy();
  if (fault === 'lose') {
    answer(host, method, { url, body });
    return void request.socket.destroy();
  }
  if (fault)
    return void response
      .writeHead(fault.status, fault.to ? { location: fault.to } : {})
      .end(fault.body ?? '');
  try {
    send(response, answer(host, method, { url, body }));
  } catch {
    send(response, { status: 500 });
  }
}
