/** What waits and what runs on the host. */
import { z } from 'zod';
import type { Http } from '../../link/http.ts';

/** `[number, id, graph, …]` */
const item = z.tuple([z.unknown(), z.string()], z.unknown());
const queueSchema = z.looseObject({ queue_running: z.array(item), queue_pending: z.array(item) });
const lengthSchema = z.looseObject({ exec_info: z.looseObject({ queue_remaining: z.number() }) });

export interface QueueState {
  running: string[];
  pending: string[];
}

export interface Queue {
  now(signal: AbortSignal): Promise<QueueState>;
  /** Runs that wait or run. */
  length(signal: AbortSignal): Promise<number>;
}

export const createQueue = (http: Http): Queue => ({
  async now(signal) {
    const { queue_running, queue_pending } = await http.getJson('/queue', queueSchema, signal);
    return { running: queue_running.map((i) => i[1]), pending: queue_pending.map((i) => i[1]) };
  },
  async length(signal) {
    return (await http.getJson('/prompt', lengthSchema, signal)).exec_info.queue_remaining;
  },
});
