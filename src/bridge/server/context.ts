/** What all requests share, over HTTP and the websocket: the service behind, the limits, what they may ask for. */
import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';
import type { Service } from '../../types/service.ts';
import { Budget } from './budget.ts';
import type { AccessRules } from './http/access.ts';
import { createUploads, type ReadUpload } from './http/uploads.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type Ops, opsOf } from './ops/table.ts';
import { Outbox } from './outbox.ts';
import { compatRoutes } from './routes/compat/index.ts';
import { ROUTES } from './routes/index.ts';
import type { Route } from './routes/route.ts';
import { Traffic } from './traffic.ts';
import { TUNING, type Tuning } from './tuning.ts';
import { createOpenApi } from './wire/openapi.ts';

export interface ServerOptions {
  config: Config;
  log: Log;
  service: Service;
  /** Assay's own version, for people and metrics. */
  version: string;
  /** What is answered; the rows of the table when absent. */
  routes?: readonly Route[] | undefined;
  /** Told of bytes of requests that are not needed any more. */
  onFreed?: ((bytes: number) => void) | undefined;
  /** For tests. */
  tuning?: Partial<Tuning> | undefined;
}

export interface ServerContext {
  config: Config;
  log: Log;
  service: Service;
  version: string;
  routes: readonly Route[];
  ops: Ops;
  /** The document that describes both. */
  openapi: object;
  metrics: Metrics;
  traffic: Traffic;
  budget: Budget;
  outbox: Outbox;
  access: AccessRules;
  readUpload: ReadUpload;
  tuning: Tuning;
}

export function createContext(options: ServerOptions): ServerContext {
  const { config, log, service, version, onFreed } = options;
  const routes = options.routes ?? [...ROUTES, ...compatRoutes(config)];
  const tuning = { ...TUNING, ...options.tuning };
  const budget = new Budget({ ...tuning, capacityBytes: config.limits.maxBodyBytes }, onFreed);
  const outbox = new Outbox(tuning, (bytes) =>
    log.info({ bytes }, 'a client does not take its answers: connection closed'),
  );
  const ops = opsOf(routes);
  return {
    config,
    log,
    service,
    version,
    routes,
    ops,
    openapi: createOpenApi(version, routes, ops),
    metrics: createMetrics(service, version, { budget, outbox }),
    traffic: new Traffic(config.limits.requestTimeoutMs),
    budget,
    outbox,
    access: { config, port: config.port, openPaths: openPathsOf(routes) },
    readUpload: createUploads(config.limits),
    tuning,
  };
}

const openPathsOf = (routes: readonly Route[]): ReadonlySet<string> =>
  new Set(routes.filter(({ open }) => open).map(({ path }) => path));
