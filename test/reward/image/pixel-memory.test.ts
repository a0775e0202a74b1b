import { describe, expect, it } from 'vitest';
import { PixelMemory } from '../../../src/reward/image/pixel-memory.ts';

const never = new AbortController().signal;

/** Whether a promise has settled once all that is due has run. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  promise.then(
    () => {
      done = true;
    },
    () => {},
  );
  await new Promise((resolve) => setImmediate(resolve));
  return done;
}

describe('room for decoded images', () => {
  it('takes what fits, and lets the next one in when one leaves', async () => {
    const room = new PixelMemory(100);
    const [a, b, c] = [room.place(never), room.place(never), room.place(never)];
    await a.take(60);
    const taken = [b.take(60), c.take(15)];
    expect(await isDone(taken[0]!)).toBe(false);
    // first come, first served: the one that would fit does not pass
    expect(await isDone(taken[1]!)).toBe(false);
    a.leave();
    await Promise.all(taken);
  });

  it('takes what is larger than all of it when it is empty', async () => {
    const room = new PixelMemory(100);
    const [small, huge, next] = [room.place(never), room.place(never), room.place(never)];
    await small.take(10);
    const taken = huge.take(1000);
    expect(await isDone(taken)).toBe(false);
    small.leave();
    await taken;
    const after = next.take(10);
    expect(await isDone(after)).toBe(false);
    huge.leave();
    huge.leave();
    await after;
  });

  it('keeps a part for small ones, which do not wait for large ones', async () => {
    const room = new PixelMemory(1600);
    const [large, next, small] = [room.place(never), room.place(never), room.place(never)];
    await large.take(1600);
    expect(await isDone(next.take(1600))).toBe(false);
    await small.take(100);
  });

  it('does not wait for who gives up', async () => {
    const room = new PixelMemory(100);
    const leaving = new AbortController();
    const [a, b, c] = [room.place(never), room.place(leaving.signal), room.place(never)];
    await a.take(60);
    const given = b.take(60);
    const waits = c.take(15);
    leaving.abort(new Error('gone'));
    await expect(given).rejects.toThrow('gone');
    b.leave();
    await waits;
    a.leave();
    c.leave();
    await room.place(never).take(100);
  });
});
