import { describe, expect, it } from 'vitest';
import { InFlight } from '../../src/lib/in-flight.ts';

const never = new AbortController().signal;

/** Work whose end is told from outside, and how often it was begun. */
function work() {
  const runs: (PromiseWithResolvers<string> & { signal: AbortSignal })[] = [];
  const make = (signal: AbortSignal) => {
    const run = { ...Promise.withResolvers<string>(), signal };
    runs.push(run);
    return run.promise;
  };
  return { runs, make };
}

describe('the same work in flight', () => {
  it('is done once for all who ask, and again for who asks later', async () => {
    const { runs, make } = work();
    const inFlight = new InFlight<string>();
    const asked = [inFlight.share('a', make, never), inFlight.share('a', make, never)];
    const other = inFlight.share('b', make, never);
    runs[0]!.resolve('one');
    runs[1]!.resolve('other');
    expect(await Promise.all([...asked, other])).toEqual(['one', 'one', 'other']);
    const later = inFlight.share('a', make, never);
    runs[2]!.resolve('anew');
    expect(await later).toBe('anew');
  });

  it('fails for those who wait for it, and for nobody after', async () => {
    const { runs, make } = work();
    const inFlight = new InFlight<string>();
    const asked = [inFlight.share('a', make, never), inFlight.share('a', make, never)];
    runs[0]!.reject(new Error('it broke'));
    for (const one of await Promise.allSettled(asked))
      expect(one).toMatchObject({ status: 'rejected', reason: { message: 'it broke' } });
    const later = inFlight.share('a', make, never);
    runs[1]!.resolve('well');
    expect(await later).toBe('well');
  });

  it('goes on while one is left, and is given up by the last', async () => {
    const { runs, make } = work();
    const inFlight = new InFlight<string>();
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = [first, second].map(({ signal }) => inFlight.share('a', make, signal));
    first.abort(new Error('the first left'));
    await expect(asked[0]).rejects.toThrow('the first left');
    expect(runs[0]!.signal.aborted).toBe(false);
    second.abort(new Error('the second left'));
    await expect(asked[1]).rejects.toThrow('the second left');
    expect(runs[0]!.signal.aborted).toBe(true);
    // what was given up answers nobody
    const later = inFlight.share('a', make, never);
    runs[0]!.resolve('too late');
    runs[1]!.resolve('anew');
    expect(await later).toBe('anew');
  });
});
