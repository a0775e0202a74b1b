/** `subscribe`: every finished result of every client, as an event. */
import { instantOp } from './op.ts';

export const subscribe = instantOp('subscribe', {}, (session) => {
  session.subscribe();
  return {};
});
