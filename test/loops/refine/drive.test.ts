/** A refinement that is driven: what its makers and proposers may do wrong, and what becomes of it. */
import { describe, expect, it } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import { type RefineParts, refine } from '../../../src/loops/refine/drive.ts';
import { createRefinement } from '../../../src/loops/refine/refinement.ts';
import type { Proposer } from '../../../src/types/proposer.ts';

const SPEC = { version: 1, seed: 7, prompt: 'a red fox', variants: 2, seeds: 4, confirm: 8, rounds: 2 };

/** Gives the lists in turn, then fails. */
function proposer(...lists: string[][]): Proposer {
  return {
    name: 'test',
    cost: () => null,
    async propose() {
      const prompts = lists.shift();
      if (!prompts) throw fail('ENDPOINT_FAILED', { url: 'http://model', reason: 'no memory' });
      return { prompts, notes: [] };
    },
  };
}

/** Light does good; trials take turns of the event loop, so that several are in work at once. */
const make: RefineParts['make'] = async ({ id, seed, prompt }) => {
  await new Promise(setImmediate);
  return [
    { image: `${id}.png`, values: { reward: (seed % 1000) / 1000 + (prompt!.includes('light') ? 0.1 : 0) } },
  ];
};

function start(more: Partial<RefineParts> = {}, spec: object = {}) {
  const refinement = createRefinement({ ...SPEC, ...spec });
  const parts = {
    refinement,
    make,
    proposer: proposer(['a red fox, light', 'a red fox!']),
    elapsedMs: () => 5,
  };
  const stop = new AbortController();
  return { refinement, stop, ended: refine({ ...parts, ...more }, stop.signal) };
}

describe('a driven refinement', () => {
  it('ends with its verdict, whatever the proposer does after the first round', async () => {
    const notes: string[] = [];
    const { ended, refinement } = start({ onProposed: (_, __, told) => notes.push(...told) });
    expect(await ended).toMatchObject({ kind: 'better', words: 'better by 0.10 (0.10 to 0.10)' });
    expect(notes).toContain('the language model at http://model fails: no memory [ENDPOINT_FAILED]');
    expect(refinement.notes).toEqual(notes);
  });

  it('makes as many at once as it may', async () => {
    let [now, most] = [0, 0];
    const counting: RefineParts['make'] = async (trial, signal) => {
      most = Math.max(most, ++now);
      const images = await make(trial, signal);
      now--;
      return images;
    };
    await start({ make: counting, depth: 3 }).ended;
    expect(most).toBe(3);
  });

  it('makes what failed once more, and ends with what ends the host', async () => {
    let runs = 0;
    const flaky: RefineParts['make'] = async (trial, signal) => {
      if (++runs % 3 === 0) throw fail('RUN_FAILED', { reason: 'out of memory' });
      return make(trial, signal);
    };
    expect((await start({ make: flaky }).ended)?.kind).toBe('better');
    const gone: RefineParts['make'] = async (trial, signal) => {
      if (trial.id === 'v1-s1') throw fail('HOST_UNREACHABLE', { url: 'http://host', reason: 'gone' });
      return make(trial, signal);
    };
    const { ended, refinement } = start({ make: gone });
    await expect(ended).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(refinement.spent()).toBeGreaterThan(0);
    const broken = start({ make: async () => Promise.reject(fail('RUN_FAILED', { reason: 'no' })) });
    expect(await broken.ended).toMatchObject({ kind: 'stopped', reason: expect.stringMatching(/: .*no$/) });
  });

  it('ends with the error of a proposer that gives it nothing to begin with', async () => {
    await expect(start({ proposer: proposer() }).ended).rejects.toMatchObject({ code: 'ENDPOINT_FAILED' });
  });

  it('ends where the original has no value', async () => {
    const { ended, refinement } = start({}, { by: 'alignment', seeds: 3 });
    await expect(ended).rejects.toMatchObject({ code: 'MEASURE_MISSING', details: { measure: 'alignment' } });
    expect(refinement.spent()).toBe(3);
  });

  it('stops when it is told to, and can go on', async () => {
    let stop = () => {};
    const stopping: RefineParts['make'] = async (trial, signal) => {
      if (trial.id === 'v1-s2') stop();
      signal.throwIfAborted();
      return make(trial, signal);
    };
    const first = start({ make: stopping });
    stop = () => first.stop.abort();
    expect(await first.ended).toBeNull();
    expect(first.refinement.step().kind).toBe('make');
  });
});
