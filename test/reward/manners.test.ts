/** Beside a host that makes images on the same GPU. */
import { describe, expect, it } from 'vitest';
import { Manners } from '../../src/reward/manners.ts';
import type { Judge } from '../../src/types/judge.ts';

const never = new AbortController().signal;
const judge = (gpu: Judge['gpu']) => ({ gpu }) as Judge;
const onGpu = judge('or-cpu');

function beside(way: 'wait' | 'cpu' | 'share', longestWaitMs?: number) {
  const manners = new Manners(way, longestWaitMs);
  const neighbour = { name: 'toy', isBusy: true };
  return { manners, neighbour, leave: manners.beside(neighbour) };
}

describe('while a host makes images', () => {
  it('a scorer goes to the CPU or shares, as configured, and says so', async () => {
    const { manners } = beside('cpu');
    expect(await manners.turn(onGpu, 'me', never)).toMatchObject({ onCpu: true, whileSampling: 'cpu' });
    const { manners: sharing } = beside('share');
    expect(await sharing.turn(onGpu, 'me', never)).toMatchObject({ onCpu: false, whileSampling: 'shared' });
  });

  it('it waits until the host is done', async () => {
    const { manners, neighbour } = beside('wait');
    const turn = manners.turn(onGpu, 'me', never);
    setTimeout(() => {
      neighbour.isBusy = false;
    }, 60);
    expect(await turn).toMatchObject({ onCpu: false, whileSampling: 'waited' });
    expect((await turn).waitedMs).toBeGreaterThan(40);
  });

  it('it waits no longer than is sensible, and not for its own caller', async () => {
    const { manners } = beside('wait', 60);
    expect(await manners.turn(onGpu, 'me', never)).toMatchObject({ whileSampling: 'shared' });
    // The host's own nodes ask in the middle of its run.
    expect(await manners.turn(onGpu, 'toy', never)).toEqual({ onCpu: false, waitedMs: 0 });
    const cancelled = AbortSignal.abort(new Error('cancelled'));
    await expect(manners.turn(onGpu, 'me', cancelled)).rejects.toThrow('cancelled');
  });

  it('nothing is done by a scorer on the CPU, or when the host has left', async () => {
    const { manners, leave } = beside('cpu');
    expect(await manners.turn(judge(undefined), 'me', never)).toEqual({ onCpu: false, waitedMs: 0 });
    leave();
    expect(await manners.turn(onGpu, 'me', never)).toEqual({ onCpu: false, waitedMs: 0 });
  });

  it('one that has no copy for the CPU waits instead', async () => {
    const { manners } = beside('cpu', 20);
    expect(await manners.turn(judge('only'), 'me', never)).toMatchObject({
      onCpu: false,
      whileSampling: 'shared',
    });
  });
});
