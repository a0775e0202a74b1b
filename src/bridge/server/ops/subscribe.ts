/** `subscribe`: every finished result of every client, and every warning, as events. */
import { instantOp } from './op.ts';

export const subscribe = instantOp('subscribe', {}, (session) => {
  session.subscribe();
  return {};
});
