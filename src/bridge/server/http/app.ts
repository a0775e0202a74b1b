/** The life of an HTTP request: access, route, call under its deadline, answer, report. What each route does is in its row. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { type AssayError, fail, toAssayError } from '../../../errors/error.ts';
import { nearest } from '../../../errors/nearest.ts';
import type { ServerContext } from '../context.ts';
import { report } from '../report.ts';
import type { Exchange, Route } from '../routes/route.ts';
import { checkAccess, clientOf, isOriginAllowed, isPreflight } from './access.ts';
import { type Answer, errorAnswer, send } from './reply.ts';

export function createApp(context: ServerContext): Express {
  const { routes } = context;
  const app = express();
  app.disable('x-powered-by').disable('etag');
  app.use((request, response, next) => admit(context, request, response, next));
  for (const route of routes) app[route.method](route.path, (rq, rs) => exchange(context, route, rq, rs));
  for (const path of new Set(routes.map((route) => route.path)))
    app.all(path, (request, response) => refuseMethod(context, request, response, allowedAt(routes, path)));
  app.use((request, response) => refuse(context, request, response, notFound(request, routes)));
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    refuse(context, request, response, fromExpress(error)),
  );
  return app;
}

// access

function admit(context: ServerContext, request: Request, response: Response, next: NextFunction): void {
  allowOrigin(context, request, response); // refusals, too, are for the page to read
  try {
    checkAccess(request, context.access);
  } catch (error) {
    refuse(context, request, response, toAssayError(error));
    return;
  }
  if (isPreflight(request)) response.status(204).end();
  else next();
}

/** Lets pages of allowed origins read the answers; all others get no CORS header at all. */
function allowOrigin(context: ServerContext, request: Request, response: Response): void {
  const { origin } = request.headers;
  response.setHeader('vary', 'Origin');
  if (origin === undefined || !isOriginAllowed(request, context.access)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'Retry-After');
  if (!isPreflight(request)) return;
  response.setHeader('access-control-allow-methods', 'GET, POST');
  response.setHeader(
    'access-control-allow-headers',
    'Authorization, Content-Type, Idempotency-Key, X-Assay-Client',
  );
  response.setHeader('access-control-max-age', '600');
}

// the life of a request

async function exchange(
  context: ServerContext,
  route: Route,
  request: Request,
  response: Response,
): Promise<void> {
  const call = context.traffic.begin(route.path, clientOf(request));
  call.isQuiet = route.quiet ?? false;
  response.once('close', () => {
    if (!response.writableFinished) call.abort(fail('CANCELLED', {})); // the client left
    call.end();
  });
  try {
    const answer = await answerOf(route, { context, call, request, response });
    send(context.outbox, request, response, answer);
    report(context, call, answer.status ?? 200);
  } catch (thrown) {
    const error = toAssayError(thrown);
    if (error.code === 'STALLED') response.setHeader('connection', 'close'); // the rest is not waited for
    send(context.outbox, request, response, errorAnswer(error));
    report(context, call, error.status, error);
  }
  const timer = setTimeout(() => response.destroy(), context.tuning.takeTimeoutMs).unref();
  response.once('close', () => clearTimeout(timer));
}

/** @throws DRAINING, and what the route throws */
async function answerOf(route: Route, exchange: Exchange): Promise<Answer> {
  const { context, call } = exchange;
  if (!route.always) context.traffic.checkOpen();
  const input = await call.run(() => route.read?.(exchange));
  return await route.handler({ context, call }, input);
}

/** Answers what no route takes. */
function refuse(context: ServerContext, request: Request, response: Response, error: AssayError): void {
  const call = context.traffic.begin('refused', clientOf(request));
  send(context.outbox, request, response, errorAnswer(error));
  report(context, call, error.status, error);
  call.end();
}

/** The path is not repeated: people put tokens there. */
function notFound({ method, path }: Request, routes: readonly Route[]): AssayError {
  const near = nearest(
    path,
    routes.map((route) => route.path),
  );
  return fail('NOT_FOUND', { method, hint: near ? `; did you mean ${near}?` : '' });
}

const allowedAt = (routes: readonly Route[], path: string): string[] =>
  routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase());

function refuseMethod(context: ServerContext, request: Request, response: Response, methods: string[]): void {
  const allowed = methods.join(', ');
  response.setHeader('allow', allowed);
  const { method, path } = request;
  refuse(context, request, response, fail('METHOD_NOT_ALLOWED', { method, path, allowed }));
}

/** Express itself complains about paths that do not decode, and repeats them; all else is ours. */
function fromExpress(error: unknown): AssayError {
  const status = (error as { status?: unknown } | null)?.status;
  const isTheirs = typeof status === 'number' && status >= 400 && status < 500;
  return isTheirs ? fail('BAD_REQUEST', { reason: 'the path does not decode' }) : toAssayError(error);
}
