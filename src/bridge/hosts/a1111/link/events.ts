/**
 * SD.Next writes down when a job begins and when it ends. A job has parts that are jobs of their own there, and between
 * two of them its progress looks idle: so only this tells whether a job still runs.
 */
import { z } from 'zod';
import type { Http } from '../../link/http.ts';

export const EVENTS = '/sdapi/v1/history';

const eventsSchema = z.array(z.looseObject({ id: z.coerce.string(), job: z.string(), op: z.string() }));

export type JobEvents = z.infer<typeof eventsSchema>;

/** What a job that is still open is looked for in: an old one may have ended in an error, without a word. */
const RECENT = 200;

/** Jobs of the routes that we use. */
const OF_API = /^api-(txt|img)$/i;

/** @param id of one job; all that is remembered when absent, oldest first */
export const readEvents = (http: Http, signal: AbortSignal, id?: string): Promise<JobEvents> =>
  http.getJson(id === undefined ? EVENTS : `${EVENTS}?id=${encodeURIComponent(id)}`, eventsSchema, signal);

/** Whether some job has begun lately and not ended. */
export function isAnyOpen(events: JobEvents): boolean {
  const recent = events.slice(-RECENT);
  const ended = new Set(recent.filter(({ op }) => op === 'end').map(({ id }) => id));
  return recent.some(({ op, id }) => op === 'begin' && !ended.has(id));
}

/** The first job of those routes that has begun since. */
export function firstSince(before: JobEvents, events: JobEvents): string | undefined {
  const known = new Set(before.map(({ id }) => id));
  return events.find(({ op, job, id }) => op === 'begin' && OF_API.test(job) && !known.has(id))?.id;
}

export const hasEnded = (events: JobEvents): boolean => events.some(({ op }) => op === 'end');
