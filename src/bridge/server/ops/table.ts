/** The ops of the websocket: those of the routes that it has, too, then those that it alone has. */
import type { Route } from '../routes/route.ts';
import { cancel } from './cancel.ts';
import { type Op, opOf } from './op.ts';
import { ping } from './ping.ts';
import { subscribe } from './subscribe.ts';

const SOCKET_ONLY: readonly Op[] = [cancel, subscribe, ping];

export type Ops = ReadonlyMap<string, Op>;

/** By name. */
export function opsOf(routes: readonly Route[]): Ops {
  const ofRoutes = routes.map(opOf).filter((op) => op !== undefined);
  return new Map([...ofRoutes, ...SOCKET_ONLY].map((op) => [op.name, op]));
}
