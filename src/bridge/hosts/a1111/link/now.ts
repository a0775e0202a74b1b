/** What the host is doing now. Its progress is that of whoever runs; that of a task is asked for by its name. */
import { z } from 'zod';
import { fail } from '../../../../errors/error.ts';
import { gistOf, type Http, parseReply } from '../../link/http.ts';

const number = z.number().catch(0);
const text = z.coerce.string().catch('');
const picture = z.string().nullish().catch(null);

const progressSchema = z.looseObject({
  /** SD.Next: another one for each job, and for parts of one. */
  id: text.optional(),
  progress: z.number(),
  current_image: picture,
  state: z.looseObject({
    job: text,
    job_count: number,
    job_no: number,
    job_timestamp: text,
    sampling_step: number,
    sampling_steps: number,
    interrupted: z.boolean().catch(false),
    skipped: z.boolean().catch(false),
  }),
});

const taskSchema = z.looseObject({
  active: z.boolean(),
  queued: z.boolean().catch(false),
  completed: z.boolean().catch(false),
  progress: z.number().nullish().catch(null),
  live_preview: picture,
  id_live_preview: z.number().catch(-1),
});

export interface Now {
  isIdle: boolean;
  /** Whether nothing has run since the host was started. */
  isFresh: boolean;
  /** Differs from job to job: an id, or else the second in which the job began. */
  mark: string;
  /** Differs whenever an image may have been finished. */
  stage: string;
  /** Whether somebody asked to end it early: its pictures are half done then. */
  isCut: boolean;
  step: number;
  steps: number;
  /** 0 to 1. */
  share: number;
  /** Base64; null when there is none, or none was asked for. */
  preview: string | null;
}

export interface Task {
  isActive: boolean;
  isQueued: boolean;
  /** 0 to 1; null when it does not run. */
  share: number | null;
  /** A data URL, if there is a newer one than that with the given number. */
  preview: string | null;
  previewNumber: number;
}

/** @throws HOST_UNKNOWN when the answer is none of this family, and errors of the link */
export async function readNow(http: Http, signal: AbortSignal, withPreview: boolean): Promise<Now> {
  const path = `/sdapi/v1/progress?skip_current_image=${!withPreview}`;
  const { id, progress, state, current_image } = await http.getJson(path, progressSchema, signal);
  return {
    isIdle: state.job_count === 0 && state.job === '',
    isFresh: state.job_timestamp === '0',
    mark: id || state.job_timestamp,
    stage: [id, state.job_timestamp, state.job, state.job_count, state.job_no].join(' '),
    isCut: state.interrupted || state.skipped,
    step: state.sampling_step,
    steps: state.sampling_steps,
    share: progress,
    preview: current_image ?? null,
  };
}

/** @param previewNumber of the newest preview that is known; -1 for none */
export async function readTask(
  http: Http,
  id: string,
  previewNumber: number,
  signal: AbortSignal,
): Promise<Task> {
  const path = '/internal/progress';
  const body = { id_task: id, id_live_preview: previewNumber, live_preview: true };
  const reply = await http.post(path, body, signal);
  if (reply.status !== 200)
    throw fail('HOST_FAILED', {
      url: http.url,
      reason: `${path}: status ${reply.status} (${gistOf(reply)})`,
    });
  const task = parseReply(http, path, reply, taskSchema);
  return {
    isActive: task.active,
    isQueued: task.queued,
    share: task.progress ?? null,
    preview: task.live_preview ?? null,
    previewNumber: task.id_live_preview,
  };
}
