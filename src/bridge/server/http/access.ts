/** Step 1, receive: who may talk to the daemon. Checked alike for HTTP requests and websocket upgrades. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../../../config.ts';
import { fail } from '../../../errors/error.ts';

export interface AccessRules {
  config: Pick<Config, 'host' | 'socket' | 'token' | 'allowedHosts' | 'allowedOrigins'>;
  /** The port in use; config.port may be 0. */
  port: number;
  /** Paths that answer without a token: probes of a supervisor that has none. */
  openPaths: ReadonlySet<string>;
}

/** Whether a host name or address (IPv6 with or without brackets) can only mean this machine. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);

/** @throws TOKEN_REQUIRED where others than this machine could ask */
export function checkExposure({ host, socket, token }: Pick<Config, 'host' | 'socket' | 'token'>): void {
  if (socket === undefined && !isLoopback(host) && token === undefined)
    throw fail('TOKEN_REQUIRED', { host });
}

/** `[::1]:7878` -> `[::1]` and 7878; no port means 80. */
function splitHost(header: string): { name: string; port: number } {
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(header);
  return parts ? { name: parts[1]!, port: Number(parts[2] ?? 80) } : { name: '', port: 0 };
}

/**
 * Against DNS rebinding: a page of evil.example that resolves to 127.0.0.1 still sends its own name. No name resolves
 * to a unix socket, and no page can reach one.
 */
function checkHost(header: string | undefined, { config, port }: AccessRules): void {
  if (config.socket !== undefined || !isLoopback(config.host)) return;
  const host = splitHost(header ?? '');
  if (isLoopback(host.name) && host.port === port) return;
  const allowed = config.allowedHosts.map((name) => name.toLowerCase());
  const isAllowed = [header, host.name].some((name) => name && allowed.includes(name.toLowerCase()));
  if (!isAllowed) throw fail('HOST_REFUSED', { host: header ?? '(none)' });
}

/** Whether a web page may read the answers: its origin is the daemon's own, or allowed by the config. */
export function isOriginAllowed(request: IncomingMessage, rules: AccessRules): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined || rules.config.allowedOrigins.includes(origin)) return true;
  return host !== undefined && origin.toLowerCase() === `http://${host.toLowerCase()}`;
}

/** Hashing makes the lengths equal, which a comparison in constant time needs. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function checkToken(header: string | undefined, token: string | undefined): void {
  if (token === undefined) return;
  const sent = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
  if (sent === undefined || !timingSafeEqual(digest(sent), digest(token))) throw fail('UNAUTHORIZED', {});
}

export const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0]!;

/** A browser asking whether it may send the real request; it cannot send the token yet. */
export const isPreflight = (request: IncomingMessage): boolean =>
  request.method === 'OPTIONS' &&
  request.headers.origin !== undefined &&
  request.headers['access-control-request-method'] !== undefined;

/** @throws HOST_REFUSED, ORIGIN_REFUSED, UNAUTHORIZED */
export function checkAccess(request: IncomingMessage, rules: AccessRules): void {
  checkHost(request.headers.host, rules);
  if (!isOriginAllowed(request, rules)) throw fail('ORIGIN_REFUSED', { origin: request.headers.origin! });
  if (isPreflight(request) || rules.openPaths.has(pathOf(request))) return;
  checkToken(request.headers.authorization, rules.config.token);
}

/** Those of a unix socket have no address; each is a client of its own all the same. */
const names = new WeakMap<object, string>();
let connections = 0;
const NAMELESS = 'anon-';

function nameOf(socket: object): string {
  const name =
    names.get(socket) ?? `${NAMELESS}${digest(`${process.pid}:${++connections}`).toString('hex', 0, 4)}`;
  names.set(socket, name);
  return name;
}

/** Whether it is the name of a connection, which its client did not name. */
export const isNameless = (client: string): boolean => client.startsWith(NAMELESS);

/**
 * A stable name for the sender, for fairness and the log: what it calls itself, else one for its connection.
 * Names are cut to what is safe in a log line.
 */
export function clientOf(request: IncomingMessage): string {
  const named = request.headers['x-assay-client'];
  return typeof named === 'string' && /^[\w.:@/-]{1,64}$/.test(named) ? named : nameOf(request.socket);
}
