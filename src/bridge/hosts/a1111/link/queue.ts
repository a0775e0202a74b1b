/** What waits on the host. */
import { z } from 'zod';
import type { Http } from '../../link/http.ts';
import type { Fork } from './fork.ts';

const PATH = '/internal/pending-tasks';

const pendingSchema = z.looseObject({ tasks: z.array(z.string()) });

/** Names of the tasks that wait, of every client; none where the host does not tell. */
export async function otherTasks(http: Http, { routes }: Fork, signal: AbortSignal): Promise<string[]> {
  if (!routes?.has(PATH)) return [];
  return (await http.getJson(PATH, pendingSchema, signal)).tasks;
}
