/** Takes one run out of the queue or interrupts it, and never another one. */
import { z } from 'zod';
import { fail } from '../../../../errors/error.ts';
import { gistOf, type Http, parseReply, type Reply } from '../../link/http.ts';
import type { Queue } from './queue.ts';

const cancelledSchema = z.looseObject({ cancelled: z.boolean() });

/** A run may begin while it is taken out of the queue; then it is to be interrupted. */
const LOOKS = 3;

export type Cancel = (id: string, signal: AbortSignal) => Promise<boolean>;

export function createCancel(http: Http, queue: Queue): Cancel {
  /** Newer hosts have a route of their own for it, which does not race with the run's end. */
  let hasJobs = true;

  function check(reply: Reply): void {
    if (reply.status === 200) return;
    throw fail('HOST_FAILED', { url: http.url, reason: `status ${reply.status} (${gistOf(reply)})` });
  }

  async function byJobs(id: string, signal: AbortSignal): Promise<boolean | undefined> {
    const path = `/api/jobs/${encodeURIComponent(id)}/cancel`;
    const reply = await http.post(path, {}, signal);
    if (reply.status === 404 || reply.status === 405) return undefined;
    check(reply);
    return parseReply(http, path, reply, cancelledSchema).cancelled;
  }

  /** The queue is asked just before: older hosts interrupt whatever runs. */
  async function byQueue(id: string, signal: AbortSignal): Promise<boolean> {
    for (let look = 0, wasThere = false; look < LOOKS; look++) {
      const { running, pending } = await queue.now(signal);
      if (running.includes(id)) {
        check(await http.post('/interrupt', { prompt_id: id }, signal));
        return true;
      }
      if (!pending.includes(id)) return wasThere;
      check(await http.post('/queue', { delete: [id] }, signal));
      wasThere = true;
    }
    return true;
  }

  return async (id, signal) => {
    const cancelled = hasJobs ? await byJobs(id, signal) : undefined;
    if (cancelled !== undefined) return cancelled;
    hasJobs = false;
    return byQueue(id, signal);
  };
}
