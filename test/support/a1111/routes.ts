/** The HTTP face of the fake host: its routes, what it refuses, and the faults that a test asks for. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Settings } from './settings.ts';
import { type Ask, Failed, type Worker } from './worker.ts';

export interface Seen {
  method: string;
  path: string;
  body: Record<string, unknown> | null;
  /** As it came. */
  text: string;
  at: number;
}

export interface FakeParts {
  settings: Settings;
  worker: Worker;
}

interface Reply {
  status: number;
  body?: unknown;
}

const FIELDS = [
  ...[
    'prompt',
    'negative_prompt',
    'styles',
    'seed',
    'subseed',
    'subseed_strength',
    'sampler_name',
    'scheduler',
  ],
  ...[
    'batch_size',
    'n_iter',
    'steps',
    'cfg_scale',
    'width',
    'height',
    'denoising_strength',
    'enable_hr',
    'mask',
  ],
  ...[
    'override_settings',
    'override_settings_restore_afterwards',
    'send_images',
    'save_images',
    'script_name',
  ],
  ...['script_args', 'alwayson_scripts', 'sampler_index', 'init_images'],
];
const SAMPLERS = ['Euler', 'Euler a', 'DPM++ 2M'];

const CORE = ['txt2img', 'img2img', 'progress', 'interrupt', 'skip', 'options', 'cmd-flags'];
const OF_FORK = {
  a1111: ['sd-vae'],
  nowebui: ['sd-vae'],
  forge: ['sd-modules'],
  sdnext: ['version', 'status', 'history', 'sd-vae'],
};

const hasTasks = ({ fork }: Settings): boolean => fork === 'a1111' || fork === 'forge';

function describe({ settings }: FakeParts): Reply {
  const { fork, hasApi } = settings;
  const named = hasApi ? [...CORE, ...OF_FORK[fork]].map((name) => `/sdapi/v1/${name}`) : [];
  const ui = hasTasks(settings)
    ? ['progress', 'pending-tasks', 'sysinfo', 'ping'].map((n) => `/internal/${n}`)
    : [];
  const schema = { $ref: '#/components/schemas/Request' };
  const post = { requestBody: { content: { 'application/json': { schema } } } };
  const paths = Object.fromEntries(
    [...named, ...ui].map((path) => [path, /2img$/.test(path) ? { post } : {}]),
  );
  const fields = [...FIELDS, ...(fork === 'sdnext' ? ['extra'] : ['force_task_id', 'infotext'])];
  const properties = Object.fromEntries(fields.map((name) => [name, {}]));
  return {
    status: 200,
    body: { openapi: '3.1.0', paths, components: { schemas: { Request: { properties } } } },
  };
}

async function progress({ settings, worker }: FakeParts, url: URL): Promise<Reply> {
  const { task: _, id, previews: __, ...state } = worker.state;
  const isSkipped = url.searchParams.get('skip_current_image') === 'true';
  const preview = isSkipped ? null : await worker.preview();
  return {
    status: 200,
    body: {
      ...(settings.fork === 'sdnext' && { id }),
      progress: state.job_count === 0 ? 0 : Math.min(1, state.sampling_step / state.sampling_steps),
      eta_relative: 0,
      state,
      current_image: preview?.toString('base64') ?? null,
      textinfo: null,
    },
  };
}

async function taskProgress({ worker }: FakeParts, body: Record<string, unknown>): Promise<Reply> {
  const { state, pending, finished } = worker;
  const id = String(body.id_task);
  const active = state.task === id;
  const isNew = active && body.live_preview !== false && state.previews !== body.id_live_preview;
  const preview = isNew ? await worker.preview() : null;
  return {
    status: 200,
    body: {
      ...{ active, queued: pending.includes(id), completed: finished.includes(id) },
      progress: active ? Math.min(1, state.sampling_step / state.sampling_steps) : null,
      eta: null,
      live_preview: preview && `data:image/png;base64,${preview.toString('base64')}`,
      id_live_preview: active ? state.previews : -1,
      textinfo: null,
    },
  };
}

let tasks = 0;

function askOf(body: Record<string, unknown>): Ask {
  const number = (name: string, fallback: number): number => Number(body[name] ?? fallback);
  const [ms = 1, failing = null] =
    (body.alwayson_scripts as { Test?: { args: [number, string | null] } } | undefined)?.Test?.args ?? [];
  const seed = number('seed', -1);
  return {
    task: String(body.force_task_id ?? `task(${++tasks})`),
    prompt: String(body.prompt ?? ''),
    negative: String(body.negative_prompt ?? ''),
    seed: seed < 0 ? ++tasks * 1000 : seed,
    subseed: number('subseed_strength', 0) > 0 ? number('subseed', 0) : 0,
    strength: number('subseed_strength', 0),
    steps: number('steps', 2),
    width: number('width', 64),
    height: number('height', 64),
    count: 1,
    ...{ batch: number('batch_size', 1), batches: number('n_iter', 1), ms, failing },
    ...{ hasMask: body.mask !== undefined, saves: body.save_images === true },
  };
}

/** What is refused before anything waits for the lock. */
function refusal(path: string, body: Record<string, unknown>): Reply | undefined {
  if (path.endsWith('img2img') && !body.init_images)
    return { status: 404, body: { detail: 'Init image not found' } };
  const sampler = body.sampler_name ?? 'Euler';
  if (!SAMPLERS.includes(String(sampler))) return { status: 404, body: { detail: 'Sampler not found' } };
  if (body.script_name) return { status: 422, body: { detail: `Script '${body.script_name}' not found` } };
  if (typeof body.cfg_scale === 'string')
    return {
      status: 422,
      body: { detail: [{ loc: ['body', 'cfg_scale'], msg: 'value is not a valid float' }] },
    };
  return undefined;
}

async function generate(parts: FakeParts, path: string, body: Record<string, unknown>): Promise<Reply> {
  const refused = refusal(path, body);
  if (refused) return refused;
  if (!parts.settings.hasModel) return { status: 200, body: { images: [], parameters: {}, info: '' } };
  const ask = askOf(body);
  try {
    const { pictures, infotexts, seeds, first } = await parts.worker.run(ask);
    const info = {
      ...{ prompt: ask.prompt, infotexts, all_seeds: seeds, index_of_first_image: first },
      ...{ width: ask.width, height: ask.height },
    };
    const images = body.send_images === false ? [] : pictures.map((bytes) => bytes.toString('base64'));
    return { status: 200, body: { images, parameters: body, info: JSON.stringify(info) } };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return { status: 500, body: { error: 'RuntimeError', detail: '', body: '', errors: error.message } };
  }
}

/** SD.Next says nothing where others say `{}`. */
const done = ({ settings }: FakeParts): Reply =>
  settings.fork === 'sdnext' ? { status: 204 } : { status: 200, body: {} };

type Handler = (parts: FakeParts, ask: { url: URL; body: Record<string, unknown> }) => Reply | Promise<Reply>;

/** Of the web UI, which AUTOMATIC1111 and Forge have unless told otherwise. */
const UI: Record<string, Handler> = {
  'POST /internal/progress': (parts, { body }) => taskProgress(parts, body),
  'GET /internal/pending-tasks': ({ worker: { pending } }) => ({
    status: 200,
    body: { size: pending.length, tasks: pending },
  }),
  'GET /internal/sysinfo': ({ settings }) => ({ status: 200, body: settings.sysinfo }),
  'GET /config': () => ({
    status: 200,
    body: {
      components: [{ props: { value: 'version: <a href="https://example.org/c">f2.0.1v1.10.1</a>' } }],
    },
  }),
};

const API: Record<string, Handler> = {
  'GET /sdapi/v1/progress': (parts, { url }) => progress(parts, url),
  'GET /sdapi/v1/options': ({ settings }) => ({ status: 200, body: settings.options }),
  // As Forge does, whose flags do not fit its own schema.
  'GET /sdapi/v1/cmd-flags': ({ settings: { flags } }) =>
    flags ? { status: 200, body: flags } : { status: 500, body: { error: 'ResponseValidationError' } },
  'POST /sdapi/v1/txt2img': (parts, { url, body }) => generate(parts, url.pathname, body),
  'POST /sdapi/v1/img2img': (parts, { url, body }) => generate(parts, url.pathname, body),
  'POST /sdapi/v1/interrupt'(parts) {
    parts.worker.interrupt();
    return done(parts);
  },
  'POST /sdapi/v1/skip'(parts) {
    parts.worker.skip();
    return done(parts);
  },
};

const OF_SDNEXT: Record<string, Handler> = {
  'GET /sdapi/v1/version': () => ({
    status: 200,
    body: { app: 'sd.next', updated: '2026-07-23', commit: '058a7f0c' },
  }),
  'GET /sdapi/v1/history': ({ worker }, { url }) => ({
    status: 200,
    body: worker.events.filter(({ id }) => id === (url.searchParams.get('id') ?? id)),
  }),
};

function answer(
  parts: FakeParts,
  method: string,
  url: URL,
  body: Record<string, unknown>,
): Reply | Promise<Reply> {
  const { settings } = parts;
  const routes = {
    'GET /openapi.json': describe,
    ...(hasTasks(settings) && UI),
    ...(settings.hasApi && API),
    ...(settings.hasApi && settings.fork === 'sdnext' && OF_SDNEXT),
  } as Record<string, Handler>;
  const handler = routes[`${method} ${url.pathname}`];
  return handler ? handler(parts, { url, body }) : { status: 404, body: { detail: 'Not Found' } };
}

const mayEnter = ({ login }: Settings, { url, headers }: IncomingMessage): boolean =>
  login === undefined ||
  !url!.startsWith('/sdapi') ||
  headers.authorization === `Basic ${Buffer.from(login).toString('base64')}`;

function send(response: ServerResponse, { status, body }: Reply): void {
  if (body === undefined) response.writeHead(status).end();
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export async function handle(
  parts: FakeParts,
  seen: Seen[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url!, 'http://fake');
  const method = request.method!;
  const sent = await text(request);
  const body = sent === '' ? null : (JSON.parse(sent) as Record<string, unknown>);
  seen.push({ method, path: url.pathname + url.search, body, text: sent, at: performance.now() });
  if (!mayEnter(parts.settings, request))
    return send(response, { status: 401, body: { detail: 'Not authenticated' } });
  const fault = parts.settings.fault?.(method, url.pathname, request);
  if (fault === 'hang') return;
  if (fault === 'reset') return void request.socket.destroy();
  if (fault && fault !== 'cut')
    return void response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
  try {
    const reply = await answer(parts, method, url, body ?? {});
    if (fault !== 'cut') return send(response, reply);
    const whole = JSON.stringify(reply.body);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length });
    response.write(whole.slice(0, whole.length / 2), () => request.socket.destroy());
  } catch {
    send(response, { status: 500, body: { error: 'Error', errors: 'ended' } });
  }
}
