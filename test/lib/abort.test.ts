/** Giving up on work that goes on without us. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { orAbort } from '../../src/lib/abort.ts';

const forever = new Promise<never>(() => {});

describe('orAbort', () => {
  it('gives the outcome of the promise', async () => {
    const { signal } = new AbortController();
    expect(await orAbort(Promise.resolve(1), signal)).toBe(1);
    await expect(orAbort(Promise.reject(new Error('it broke')), signal)).rejects.toThrow('it broke');
  });

  it("throws the signal's reason, whether it is aborted before or after", async () => {
    await expect(orAbort(Promise.resolve(1), AbortSignal.abort('gone'))).rejects.toBe('gone');
    const leaving = new AbortController();
    const given = orAbort(forever, leaving.signal);
    leaving.abort('left');
    await expect(given).rejects.toBe('left');
  });

  it('handles the failure of what was given up, so that nobody else has to', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    onTestFinished(() => void process.off('unhandledRejection', note));
    const leaving = new AbortController();
    const [early, late] = [Promise.withResolvers<never>(), Promise.withResolvers<never>()];
    const given = [orAbort(early.promise, AbortSignal.abort('gone')), orAbort(late.promise, leaving.signal)];
    leaving.abort('gone');
    expect((await Promise.allSettled(given)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    early.reject(new Error('too early'));
    late.reject(new Error('too late'));
    await turn();
    expect(unhandled).toEqual([]);
  });
});
