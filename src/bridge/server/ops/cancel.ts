/** `cancel`: gives up a request of the same websocket. */
import { messageId } from '../wire/schemas.ts';
import { instantOp } from './op.ts';

export const cancel = instantOp('cancel', { target: messageId }, (session, { target }) => ({
  cancelled: session.cancel(target),
}));
