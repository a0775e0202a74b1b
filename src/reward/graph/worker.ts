/** 7 infer: a thread that owns one session. Messages in: batches, and the end; messages out: raw outputs. */
import { parentPort, workerData } from 'node:worker_threads';
import { AssayError, reasonOf } from '../../errors/error.ts';
import type { Precision } from './onnx/widen.ts';
import { type Session, type SessionSpec, stack, type Tensor, type Tensors } from './tensor.ts';

export type WorkerTask =
  /** A batch: for each graph input, the tensors of its items. */
  | { type: 'run'; feeds: Record<string, Tensor[]> }
  /** Free the session and end, after what came before. */
  | { type: 'end' };

export type WorkerReply =
  | { type: 'ready'; provider: string; notes: string[]; precision?: Precision | undefined }
  | { type: 'unloadable'; reason: string; install?: string | undefined }
  | { type: 'done'; outputs: Tensors; inferMs: number }
  | { type: 'failed'; reason: string };

const port = parentPort!;
const reply = (message: WorkerReply): void => port.postMessage(message);

async function open(spec: SessionSpec): Promise<Session> {
  if (spec.backend === 'tfjs') return (await import('./session-tfjs.ts')).openTfjsSession(spec);
  return (await import('./session.ts')).openOnnxSession(spec);
}

async function run(session: Session, batch: Record<string, Tensor[]>): Promise<void> {
  try {
    const feeds = Object.fromEntries(Object.entries(batch).map(([name, items]) => [name, stack(items)]));
    const start = performance.now();
    const outputs = await session.run(feeds);
    reply({ type: 'done', outputs, inferMs: performance.now() - start });
  } catch (error) {
    reply({ type: 'failed', reason: reasonOf(error) });
  }
}

async function leave(session: Session): Promise<void> {
  // What cannot be released now is freed with the thread.
  await session.release().catch(() => {});
  process.exit();
}

async function main(): Promise<void> {
  try {
    const session = await open(workerData as SessionSpec);
    let work: Promise<void> = Promise.resolve();
    port.on('message', (task: WorkerTask) => {
      work = work.then(() => (task.type === 'run' ? run(session, task.feeds) : leave(session)));
    });
    const { provider, notes, precision } = session;
    reply({ type: 'ready', provider, notes, precision });
  } catch (error) {
    const install = error instanceof AssayError && error.code === 'BACKEND_MISSING' ? error.fix : undefined;
    reply({ type: 'unloadable', reason: reasonOf(error), install });
  }
}

await main();
