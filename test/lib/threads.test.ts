import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Handover, Threads } from '../../src/lib/threads.ts';

/** A module that runs `body` for each task, whose `answer` is the reply. */
function moduleOf(body: string): URL {
  const source = `
    import { parentPort, threadId } from 'node:worker_threads';
    const answer = (result) => parentPort.postMessage({ result });
    parentPort.on('message', (task) => { ${body} });`;
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

function open<Task = number, Result = number>(
  body: string,
  most = 1,
  idleMs = 60_000,
): Threads<Task, Result> {
  const threads = new Threads<Task, Result>({ file: moduleOf(body), most, idleMs });
  onTestFinished(() => threads.close());
  return threads;
}

/** The threads that are started from now on, and their ends. */
function watchStarts(): { worker: Worker; end: Promise<unknown> }[] {
  const started: { worker: Worker; end: Promise<unknown> }[] = [];
  const note = (worker: Worker) =>
    void started.push({ worker, end: new Promise((resolve) => worker.once('exit', resolve)) });
  process.on('worker', note);
  onTestFinished(() => void process.off('worker', note));
  return started;
}

const { signal: never } = new AbortController();
const plain =
  <Task>(task: Task) =>
  (): Handover<Task> => [task, []];

describe('threads', () => {
  it('start with work, no more than are allowed, and do it in the order of arrival', async () => {
    const started = watchStarts();
    const threads = open('answer(task * 2)', 2);
    expect(started).toEqual([]);
    const done: number[] = [];
    const tasks = Array.from({ length: 9 }, (_, i) => threads.run(plain(i), never).then((n) => done.push(n)));
    await Promise.all(tasks);
    expect(done.toSorted((a, b) => a - b)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16]);
    expect(started.length).toBe(2);
    const one = open('answer(task)');
    const order: number[] = [];
    await Promise.all([5, 1, 4, 2, 3].map((i) => one.run(plain(i), never).then((n) => order.push(n))));
    expect(order).toEqual([5, 1, 4, 2, 3]);
  });

  it('make a task when its turn comes, and take its buffers over', async () => {
    const threads = open<Uint8Array>('answer(task.length)');
    let made = 0;
    const buffers: ArrayBuffer[] = [];
    const make = (): Handover<Uint8Array> => {
      made++;
      const task = new Uint8Array(10);
      buffers.push(task.buffer);
      return [task, [task.buffer]];
    };
    const answers = [threads.run(make, never), threads.run(make, never)];
    await answers[0];
    expect(made).toBe(1);
    expect(await Promise.all(answers)).toEqual([10, 10]);
    expect(buffers.map((buffer) => buffer.byteLength)).toEqual([0, 0]);
  });

  it('end after a while without work, and start again', async () => {
    const started = watchStarts();
    const threads = open('answer(task)', 1, 10);
    expect(await threads.run(plain(1), never)).toBe(1);
    await started[0]!.end;
    expect(await threads.run(plain(2), never)).toBe(2);
    expect(started.length).toBe(2);
  });

  it('are not given work while they end', async () => {
    // Idle for no time at all: each task comes just as the thread before is being ended.
    const threads = open('answer(task)', 1, 0);
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    for (let i = 0; i < 15; i++) {
      expect(await threads.run(plain(i), never)).toBe(i);
      await turn();
    }
  });

  it('do not end in the middle of a task, however long they were idle before', async () => {
    const slow = 'setTimeout(() => answer(threadId), task)';
    const threads = open(slow, 1, 200);
    const first = await threads.run(plain(0), never);
    expect(await threads.run(plain(400), never)).toBe(first);
  });

  it('answer errors as they are, and go on', async () => {
    const threads = open(
      'task < 0 ? parentPort.postMessage({ error: new RangeError("below") }) : answer(threadId)',
    );
    const first = await threads.run(plain(1), never);
    const failed = threads.run(plain(-1), never);
    await expect(failed).rejects.toThrow(RangeError);
    await expect(failed).rejects.toThrow('below');
    expect(await threads.run(plain(1), never)).toBe(first);
  });

  it.each([
    ['leaves', 'process.exit(7)', 'the thread ended with code 7 before it answered'],
    ['breaks', 'setImmediate(() => { throw new Error("it broke") })', 'it broke'],
  ])('one that %s fails its task alone', async (_, way, message) => {
    const threads = open(`if (task < 0) ${way}; else answer(task)`);
    const [bad, good] = [threads.run(plain(-1), never), threads.run(plain(3), never)];
    await expect(bad).rejects.toThrow(message);
    expect(await good).toBe(3);
  });

  it('one that dies without work is replaced', async () => {
    const started = watchStarts();
    const threads = open('if (task < 0) throw new Error("it broke"); answer(task)');
    expect(await threads.run(plain(1), never)).toBe(1);
    started[0]!.worker.postMessage(-1);
    await started[0]!.end;
    expect(await threads.run(plain(2), never)).toBe(2);
    expect(started.length).toBe(2);
  });

  it('that cannot start say why, to each task', async () => {
    const file = moduleOf('} syntax error {');
    const threads = new Threads<number, number>({ file, most: 1, idleMs: 1000 });
    onTestFinished(() => threads.close());
    const given = [1, 2].map((i) => threads.run(plain(i), never));
    for (const one of await Promise.allSettled(given))
      expect(one).toMatchObject({ status: 'rejected', reason: { name: 'SyntaxError' } });
  });

  it('refuse what cannot be sent, and go on', async () => {
    const threads = open<unknown>('answer(1)');
    await expect(
      threads.run(
        plain(() => {}),
        never,
      ),
    ).rejects.toMatchObject({ name: 'DataCloneError' });
    expect(await threads.run(plain(1), never)).toBe(1);
  });

  it('give up at once what was aborted, in work or waiting, and do the rest', async () => {
    const started = watchStarts();
    const threads = open('if (task < 0) for (;;); else answer(task)');
    const leaving = new AbortController();
    const stuck = threads.run(plain(-1), leaving.signal);
    const gone = threads.run(plain(1), leaving.signal);
    const kept = [threads.run(plain(2), never), threads.run(plain(3), never)];
    leaving.abort(new Error('the client left'));
    await expect(stuck).rejects.toThrow('the client left');
    await expect(gone).rejects.toThrow('the client left');
    expect(await Promise.all(kept)).toEqual([2, 3]);
    await started[0]!.end;
    expect(started.length).toBe(2);
  });

  it('fail what is in work and waiting when they are closed, and everything after', async () => {
    const threads = open('for (;;);');
    const starting = once(process, 'worker') as Promise<[Worker]>;
    const given = [threads.run(plain(1), never), threads.run(plain(2), never)];
    const settled = Promise.allSettled(given);
    const [thread] = await starting;
    await once(thread, 'online');
    let gone = false;
    thread.once('exit', () => {
      gone = true;
    });
    await threads.close();
    expect(gone).toBe(true);
    for (const one of [...(await settled), ...(await Promise.allSettled([threads.run(plain(3), never)]))])
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'DRAINING' } });
  });

  it('keep the process alive while they work, and not longer', () => {
    const file = new URL('../../src/lib/threads.ts', import.meta.url).href;
    const script = `
      import { Threads } from ${JSON.stringify(file)};
      const file = new URL(${JSON.stringify(moduleOf('setTimeout(() => answer(task), 50)').href)});
      const threads = new Threads({ file, most: 1, idleMs: 600_000 });
      const { signal } = new AbortController();
      console.log(await threads.run(() => [1, []], signal), await threads.run(() => [2, []], signal));`;
    const args = ['--input-type=module', '-e', script];
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
    expect([status, stdout]).toEqual([0, '1 2\n']);
  });
});
