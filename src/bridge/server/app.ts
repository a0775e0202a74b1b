/** The HTTP routes. Each handler gets a call under its deadline and returns an answer or throws a coded error. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { type AssayError, fail, nearest, toAssayError } from '../../errors.ts';
import { checkAccess, clientOf, isOriginAllowed, isPreflight } from './access.ts';
import { admitBody, type Incoming, readBody } from './body.ts';
import type { Call } from './call.ts';
import { type Codec, codecOf } from './codec.ts';
import { type Desk, type Job, rank, report, score } from './desk.ts';
import { toScoreItems } from './items.ts';
import { checkItemCount, parse } from './parse.ts';
import { findPrompt } from './prompt-route.ts';
import { type Answer, errorAnswer, send } from './reply.ts';
import { historyQuery, type ScoreBody, scoreBody } from './schemas.ts';
import { VALUE_BYTES } from './shape.ts';
import { createUploads, type ReadUpload } from './uploads.ts';

interface Exchange {
  call: Call;
  request: IncomingMessage;
  response: ServerResponse;
}

type Handler = (exchange: Exchange) => Promise<Answer> | Answer;

interface Route {
  method: 'get' | 'post';
  path: string;
  handler: Handler;
  /** Answered while the daemon drains, too. */
  always?: true;
}

const SCORE_TYPES = 'multipart/form-data, application/json or application/msgpack';

/** @param openapi the document of `GET /openapi.json` */
export function createApp(desk: Desk, openapi: object): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use((request, response, next) => admit(desk, request, response, next));
  const routes = routesOf(desk, openapi);
  for (const route of routes) app[route.method](route.path, (rq, rs) => exchange(desk, route, rq, rs));
  for (const path of new Set(routes.map((route) => route.path)))
    app.all(path, (request, response) => refuseMethod(desk, request, response, allowedAt(routes, path)));
  app.use((request, response) => refuse(desk, request, response, notFound(request, routes)));
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    refuse(desk, request, response, fromExpress(error)),
  );
  return app;
}

const scorersOf = ({ service }: Desk) => ({ scorers: service.scorers(), refused: service.refusedScorers() });

function routesOf(desk: Desk, openapi: object): Route[] {
  const readUpload = createUploads(desk.config.limits);
  const job = (e: Exchange): Promise<Job> => e.call.run(() => readJob(desk, e, readUpload));
  return [
    {
      method: 'post',
      path: '/v1/score',
      handler: async (e) => ({ body: await score(desk, e.call, await job(e)) }),
    },
    {
      method: 'post',
      path: '/v1/rank',
      handler: async (e) => ({ body: await rank(desk, e.call, await job(e)) }),
    },
    {
      method: 'post',
      path: '/v1/prompt',
      handler: async (e) => ({ body: await findPrompt(desk, e.call, e.request, e.response) }),
    },
    { method: 'get', path: '/v1/scorers', handler: () => ({ body: scorersOf(desk) }) },
    { method: 'get', path: '/v1/history', handler: async (e) => ({ body: await history(desk, e) }) },
    { method: 'get', path: '/healthz', handler: () => health(desk), always: true },
    { method: 'get', path: '/readyz', handler: () => readiness(desk), always: true },
    { method: 'get', path: '/metrics', handler: () => metricsPage(desk), always: true },
    { method: 'get', path: '/openapi.json', handler: () => ({ body: openapi }) },
    { method: 'get', path: '/', handler: () => greeting(desk) },
  ];
}

// access

function admit(desk: Desk, request: Request, response: Response, next: NextFunction): void {
  allowOrigin(desk, request, response); // refusals, too, are for the page to read
  try {
    checkAccess(request, desk.access);
  } catch (error) {
    refuse(desk, request, response, toAssayError(error));
    return;
  }
  if (isPreflight(request)) response.status(204).end();
  else next();
}

/** Lets pages of allowed origins read the answers; all others get no CORS header at all. */
function allowOrigin(desk: Desk, request: Request, response: Response): void {
  const { origin } = request.headers;
  response.setHeader('vary', 'Origin');
  if (origin === undefined || !isOriginAllowed(request, desk.access)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'Retry-After');
  if (!isPreflight(request)) return;
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader('access-control-allow-headers', 'Authorization, Content-Type, X-Assay-Client');
  response.setHeader('access-control-max-age', '600');
}

// the life of a request

async function exchange(desk: Desk, route: Route, request: Request, response: Response): Promise<void> {
  const call = desk.traffic.begin(route.path, clientOf(request));
  response.once('close', () => {
    if (!response.writableFinished) call.abort(fail('CANCELLED', {})); // the client left
    call.end();
  });
  try {
    if (!route.always) desk.traffic.checkOpen();
    const answer = await route.handler({ call, request, response });
    send(desk.outbox, request, response, answer);
    report(desk, call, answer.status ?? 200);
  } catch (thrown) {
    const error = toAssayError(thrown);
    if (error.code === 'STALLED') response.setHeader('connection', 'close'); // the rest is not waited for
    send(desk.outbox, request, response, errorAnswer(error));
    report(desk, call, error.status, error);
  }
  const timer = setTimeout(() => response.destroy(), desk.tuning.takeTimeoutMs).unref();
  response.once('close', () => clearTimeout(timer));
}

/** Answers what no route takes. */
function refuse(desk: Desk, request: Request, response: Response, error: AssayError): void {
  const call = desk.traffic.begin('refused', clientOf(request));
  send(desk.outbox, request, response, errorAnswer(error));
  report(desk, call, error.status, error);
  call.end();
}

/** The path is not repeated: people put tokens there. */
function notFound({ method, path }: Request, routes: Route[]): AssayError {
  const near = nearest(
    path,
    routes.map((route) => route.path),
  );
  return fail('NOT_FOUND', { method, hint: near ? `; did you mean ${near}?` : '' });
}

const allowedAt = (routes: Route[], path: string): string[] =>
  routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase());

function refuseMethod(desk: Desk, request: Request, response: Response, methods: string[]): void {
  const allowed = methods.join(', ');
  response.setHeader('allow', allowed);
  const { method, path } = request;
  refuse(desk, request, response, fail('METHOD_NOT_ALLOWED', { method, path, allowed }));
}

/** Express itself complains about paths that do not decode, and repeats them; all else is ours. */
function fromExpress(error: unknown): AssayError {
  const status = (error as { status?: unknown } | null)?.status;
  const isTheirs = typeof status === 'number' && status >= 400 && status < 500;
  return isTheirs ? fail('BAD_REQUEST', { reason: 'the path does not decode' }) : toAssayError(error);
}

// handlers

async function readJob(
  desk: Desk,
  { call, request, response }: Exchange,
  readUpload: ReadUpload,
): Promise<Job> {
  const { limits, allowedDirs } = desk.config;
  const type = request.headers['content-type'] ?? '(none)';
  const codec = codecOf(type);
  const isMultipart = /^multipart\/form-data\b/i.test(type);
  if (!codec && !isMultipart) throw fail('UNSUPPORTED_CONTENT_TYPE', { found: type, expected: SCORE_TYPES });
  const incoming = admitBody(desk, call, request, response);
  const body = codec
    ? await parseBody(codec, await readBody(incoming), incoming, limits.maxItems)
    : await readUpload(incoming, response);
  return {
    items: toScoreItems(body, { allowedDirs, maxImageBytes: limits.maxImageBytes }),
    scorer: body.scorer,
    policy: body.policy,
  };
}

async function parseBody(
  codec: Codec,
  bytes: Buffer,
  { parcel }: Incoming,
  maxItems: number,
): Promise<ScoreBody> {
  const { value, values } = await codec.decode(bytes);
  parcel.complete(VALUE_BYTES * values);
  checkItemCount(value, maxItems);
  return parse(scoreBody, value);
}

function history(desk: Desk, { call, request }: Exchange): Promise<object> {
  const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
  const given = [...query].filter(([, value]) => value !== ''); // forms send their empty fields, too
  return desk.service.history(parse(historyQuery, Object.fromEntries(given)), call.signal);
}

const health = (desk: Desk): Answer => ({ body: { status: 'ok', version: desk.version } });

function readiness(desk: Desk): Answer {
  const reason = desk.traffic.isDraining ? 'the daemon is shutting down' : desk.service.notReady();
  const ready = reason === null;
  return { status: ready ? 200 : 503, headers: ready ? {} : { 'retry-after': '1' }, body: { ready, reason } };
}

const metricsPage = async ({ metrics }: Desk): Promise<Answer> => ({
  headers: { 'content-type': metrics.contentType },
  body: await metrics.text(),
});

const greeting = ({ version }: Desk): Answer => ({
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: `<!doctype html><title>Assay</title><p>Assay ${version} scores AI-generated images. The API is described in <a href="/openapi.json">/openapi.json</a>; <a href="/readyz">/readyz</a> says whether it is ready.</p>\n`,
});
