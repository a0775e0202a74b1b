/** A worker thread with one session, as the main thread sees it: started, spoken to, ended. */
import { Worker } from 'node:worker_threads';
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { silence } from '../../lib/quiet.ts';
import type { Precision } from './onnx/widen.ts';
import type { SessionSpec } from './tensor.ts';
import type { WorkerReply, WorkerTask } from './worker.ts';

export interface SessionWorker {
  worker: Worker;
  provider: string;
  /** Why preferred providers are not used. */
  notes: string[];
  /** What four-bit weights were made of; undefined where they stay as they are. */
  precision?: Precision | undefined;
}

/** TensorRT builds its engines for minutes. */
const LOAD_TIMEOUT_MS = 600_000;
/** Longer than any run should take. */
const END_TIMEOUT_MS = 60_000;

// The same file runs from source (.ts) and from the built package (.js).
const WORKER = new URL(`./worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);

/** Starts a worker and waits until its session is loaded. @throws MODEL_LOAD_FAILED, BACKEND_MISSING */
export async function startSessionWorker(spec: SessionSpec): Promise<SessionWorker> {
  silence();
  let worker: Worker;
  try {
    worker = new Worker(WORKER, { workerData: spec });
  } catch (cause) {
    throw unloadable(spec, { type: 'unloadable', reason: reasonOf(cause) });
  }
  const first = await firstReply(worker);
  if (first.type === 'ready') {
    const { provider, notes, precision } = first;
    return { worker, provider, notes, precision };
  }
  void worker.terminate();
  throw unloadable(spec, first.type === 'unloadable' ? first : { type: 'unloadable', reason: first.type });
}

function unloadable(
  { scorer, backend }: SessionSpec,
  reply: Extract<WorkerReply, { type: 'unloadable' }>,
): AssayError {
  if (reply.install) return fail('BACKEND_MISSING', { scorer, backend, install: reply.install });
  return fail('MODEL_LOAD_FAILED', { scorer, reason: reply.reason });
}

/** The first message of a worker; one that dies before it, or stays silent, counts as unloadable. */
async function firstReply(worker: Worker): Promise<WorkerReply> {
  const { promise, resolve } = Promise.withResolvers<WorkerReply>();
  const lost = (reason: string) => resolve({ type: 'unloadable', reason });
  const onError = (error: Error) => lost(error.message);
  const onExit = (code: number) => lost(`the worker ended with code ${code} while loading`);
  const deadline = setTimeout(() => lost(`not loaded within ${LOAD_TIMEOUT_MS} ms`), LOAD_TIMEOUT_MS);
  worker.once('message', resolve).on('error', onError).once('exit', onExit);
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    worker.off('exit', onExit);
  }
}

/**
 * Lets a worker finish its run and leave by itself: ended from outside while it is inside the runtime, it would take the
 * whole process along.
 */
export async function endSessionWorker({ worker }: SessionWorker): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  worker.once('exit', () => resolve());
  const deadline = setTimeout(() => void worker.terminate().then(() => resolve()), END_TIMEOUT_MS);
  worker.postMessage({ type: 'end' } satisfies WorkerTask);
  await promise;
  clearTimeout(deadline);
}
