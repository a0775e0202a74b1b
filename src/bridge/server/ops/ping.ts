/** `ping`: whether somebody is there. */
import { instantOp } from './op.ts';

export const ping = instantOp('ping', {}, () => ({}));
