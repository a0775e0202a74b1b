/** The core of a refinement: what it tries, what it drops, what it claims. */
import { describe, expect, it } from 'vitest';
import { play } from '../../../bench/refine/simulate.ts';
import { offlineProposer } from '../../../src/loops/refine/offline.ts';
import { BANKS } from '../../../src/loops/refine/phrases.ts';
import { createRefinement, type Refinement } from '../../../src/loops/refine/refinement.ts';
import type { RefineEvent, Verdict } from '../../../src/loops/refine/types.ts';
import type { Outcome, Trial } from '../../../src/loops/study/types.ts';

const SMALL = { variants: 4, seeds: 4, confirm: 10, rounds: 3, images: 100 };
const spec = (more: object = {}) => ({ version: 1, seed: 7, prompt: 'a red fox', ...SMALL, ...more });

/** A number that follows from the seed alone, 0..1. */
const luck = (seed: number): number => (Math.imul(seed, 0x45d9_f3b) >>> 8) / 2 ** 24;

type Score = (trial: Trial) => number | null | 'fails';

/** Light does good. */
const likesLight: Score = ({ seed, prompt }) => luck(seed) + (prompt!.includes('light') ? 0.3 : 0);
const indifferent: Score = ({ seed }) => luck(seed);

function outcomeOf(trial: Trial, score: Score): Outcome {
  const reward = score(trial);
  return reward === 'fails'
    ? { failed: { code: 'RUN_FAILED', message: 'out of memory' }, elapsedMs: 0 }
    : { images: [{ image: `${trial.id}.png`, values: { reward }, reasons: ['blank'] }], elapsedMs: 0 };
}

const propose = (round: number): string[] => [
  `a red fox in soft light, ${round}`,
  `a red fox, ${round}`,
  `the fox is red, ${round}`,
  `a fox, red, ${round}`,
];

/** Runs it to its end. @param order of the trials of a step */
function finish(
  refinement: Refinement,
  score: Score,
  proposals = propose,
  order: (trials: Trial[]) => Trial[] = (trials) => trials,
): Verdict {
  for (let step = refinement.step(); ; step = refinement.step()) {
    if (step.kind === 'done') return step.verdict;
    if (step.kind === 'propose') refinement.propose(proposals(step.round));
    else
      for (const trial of order(step.trials))
        if (refinement.step().kind !== 'done') refinement.tell(trial.id, outcomeOf(trial, score));
  }
}

describe('a refinement', () => {
  it('finds the variant that does better, and says by how much on fresh seeds', () => {
    const refinement = createRefinement(spec());
    const verdict = finish(refinement, likesLight);
    expect(verdict).toMatchObject({ kind: 'better', prompt: 'a red fox in soft light, 1' });
    expect(verdict.words).toBe('better by 0.30 (0.30 to 0.30)');
    expect(verdict.gain!.pairs).toBe(10);
    expect(refinement.spent()).toBeLessThanOrEqual(100);
  });

  it('says that there is none where variants change nothing', () => {
    expect(finish(createRefinement(spec()), indifferent)).toMatchObject({
      kind: 'none',
      words: 'no improvement found',
      prompt: 'a red fox',
    });
  });

  it('makes variants on the same seeds, and confirms on others, each seed once for either', () => {
    const made: Trial[] = [];
    finish(createRefinement(spec()), (trial) => {
      made.push(trial);
      return likesLight(trial);
    });
    const seedsOf = (prompt: string) =>
      made.filter((trial) => trial.prompt === prompt).map(({ seed }) => seed);
    const [original, winner] = [seedsOf('a red fox'), seedsOf('a red fox in soft light, 1')];
    expect(winner.toSorted()).toEqual(original.toSorted());
    expect(new Set(original).size).toBe(original.length);
    const searched = new Set(seedsOf('a red fox, 1'));
    expect(original.slice(0, 4)).toEqual(expect.arrayContaining([...searched]));
    expect(original.slice(-10).filter((seed) => searched.has(seed))).toEqual([]);
  });

  it('drops the worse half after each stage', () => {
    const refinement = createRefinement(spec({ rounds: 1 }));
    finish(refinement, likesLight);
    const seeds = refinement.history().attempts.map(({ seeds }) => seeds);
    expect(seeds.toSorted((a, b) => b - a)).toEqual([4, 4, 2, 1, 1]);
  });

  it('is the same when it is made from its events, wherever it was cut off, and in whatever order it was told', () => {
    const events: RefineEvent[] = [];
    const whole = createRefinement(spec());
    whole.onEvent = (event) => void events.push(event);
    const verdict = finish(whole, likesLight);
    for (let cut = 0; cut <= events.length; cut += 7)
      expect(
        finish(
          createRefinement(spec(), structuredClone(events.slice(0, cut))),
          likesLight,
          propose,
          (trials) => trials.toReversed(),
        ),
      ).toEqual(verdict);
  });

  it('never lets a variant win that spoils images', () => {
    const spoils: Score = (trial) =>
      trial.prompt!.includes('light') && luck(trial.seed) < 0.6 ? null : likesLight(trial);
    const refinement = createRefinement(spec());
    expect(finish(refinement, spoils).kind).toBe('none');
    expect(refinement.history().attempts.map(({ critique }) => critique)).toContainEqual(
      expect.stringMatching(/1 of \d images have no value: blank/),
    );
  });

  it.each([1, 2, 3])('goes on with other seeds where the original has no score on its first %i', (count) => {
    const unlucky = new Set<number>();
    const refinement = createRefinement(spec());
    const verdict = finish(refinement, (trial) => {
      if (unlucky.size < count && trial.prompt === 'a red fox') unlucky.add(trial.seed);
      return unlucky.has(trial.seed) ? null : (likesLight(trial) as number);
    });
    expect(verdict).toMatchObject({ kind: 'better', prompt: 'a red fox in soft light, 1' });
    expect(refinement.spent()).toBeLessThanOrEqual(100);
  });

  it('makes what failed once more, and ends when all fails', () => {
    let runs = 0;
    const flaky: Score = (trial) => (++runs % 4 === 0 ? 'fails' : likesLight(trial));
    expect(finish(createRefinement(spec()), flaky).kind).toBe('better');
    const broken = createRefinement(spec());
    expect(finish(broken, () => 'fails')).toMatchObject({
      kind: 'stopped',
      reason: expect.stringContaining('out of memory'),
    });
    expect(broken.spent()).toBe(0);
  });

  it('goes on when it is made again after all has failed', () => {
    const events: RefineEvent[] = [];
    const broken = createRefinement(spec());
    broken.onEvent = (event) => void events.push(event);
    finish(broken, () => 'fails');
    expect(finish(createRefinement(spec(), events), likesLight).kind).toBe('better');
    let runs = 0;
    const breaking = createRefinement(spec());
    const later: RefineEvent[] = [];
    breaking.onEvent = (event) => void later.push(event);
    expect(finish(breaking, (trial) => (++runs > 12 ? 'fails' : likesLight(trial))).kind).toBe('stopped');
    expect(finish(createRefinement(spec(), later), likesLight).kind).toBe('better');
  });

  it('asks once more where nothing can be used, then goes on with what there is', () => {
    const refinement = createRefinement(spec());
    let asked = 0;
    const repeats = (round: number) => {
      asked++;
      return round === 1 ? propose(1) : [...propose(1), 'a blue cat', ''];
    };
    expect(finish(refinement, likesLight, repeats).kind).toBe('better');
    expect(asked).toBe(3);
    const reasons = new Set(refinement.refused.map(({ reason }) => reason));
    expect(reasons).toEqual(new Set(['it was tried before', 'it has lost red, fox', 'it is empty']));
  });

  it('stops after rounds that bring nothing, and keeps images for the confirmation', () => {
    const rounds = (more: object) => {
      const refinement = createRefinement(spec(more));
      finish(refinement, likesLight);
      return refinement.variants.at(-1)!.round;
    };
    expect(rounds({ rounds: 9 })).toBe(3); // the first one gained
    expect(rounds({ rounds: 9, images: 45 })).toBe(2);
  });

  it('counts a trial once, and only one that it asked for', () => {
    const refinement = createRefinement(spec());
    const step = refinement.step();
    const [trial] = step.kind === 'make' ? step.trials : [];
    refinement.tell(trial!.id, outcomeOf(trial!, indifferent));
    for (const id of [trial!.id, 'v9-s1'])
      expect(() => refinement.tell(id, outcomeOf(trial!, indifferent))).toThrow(
        expect.objectContaining({ code: 'TRIAL_UNKNOWN' }),
      );
  });

  it.each([
    ['images', { images: 10 }, /at least 32, found 10/],
    ['images', { images: 0 }, /./],
    ['confirm', { confirm: 2 }, /./],
    ['prompt', { prompt: '' }, /./],
    ['keepWords', { keepWords: 2 }, /./],
  ])('is refused by the name of what is wrong: %s', (field, wrong, reason) => {
    expect(() => createRefinement(spec(wrong))).toThrow(
      expect.objectContaining({
        code: 'STUDY_INVALID',
        details: { field, reason: expect.stringMatching(reason) },
      }),
    );
  });
});

describe('its claims', () => {
  const claimed = (gain: number, prompts: number, shape: 'normal' | 'skewed' = 'normal') =>
    Array.from({ length: prompts }, (_, i) =>
      play({ spread: 0.5, shared: 0.3, shape, wider: 1, gain }, 1000 + i, {
        rounds: 2,
        seeds: 8,
        confirm: 24,
      }),
    ).filter(({ verdict }) => verdict.kind === 'better').length / prompts;

  it('are wrong on at most 5 % of prompts where variants change nothing', () => {
    expect(claimed(0, 150)).toBeLessThanOrEqual(0.05);
    expect(claimed(0, 150, 'skewed')).toBeLessThanOrEqual(0.05);
  });

  it('are made where there is something to gain', () => {
    expect(claimed(0.5, 30)).toBeGreaterThan(0.8);
  });
});

describe('the phrase bank', () => {
  const histories = (prompt: string) => {
    const refinement = createRefinement(spec({ prompt }));
    return refinement.history();
  };
  const never = new AbortController().signal;

  it('proposes versions that differ, keep the words, and are the same for the same seed', async () => {
    const prompt = 'a red fox, sitting in the snow';
    const { prompts } = await offlineProposer(3).propose(histories(prompt), 6, never);
    expect(prompts).toEqual((await offlineProposer(3).propose(histories(prompt), 6, never)).prompts);
    expect(new Set(prompts).size).toBe(6);
    const refinement = createRefinement(spec({ prompt, variants: 6, images: 200, keepWords: 1 }));
    for (const trial of (refinement.step() as { trials: Trial[] }).trials)
      refinement.tell(trial.id, outcomeOf(trial, indifferent));
    expect(refinement.propose(prompts)).toEqual({ taken: prompts, refused: [] });
  });

  it('has phrases that stay one part of a prompt', () => {
    expect(BANKS.flatMap(({ phrases }) => phrases).filter((phrase) => /[,\n]/.test(phrase))).toEqual([]);
  });

  it('says nothing of what the prompt has chosen', async () => {
    const { prompts } = await offlineProposer(1).propose(
      histories('oil painting of a fox at night'),
      20,
      never,
    );
    expect(prompts.join('\n')).not.toMatch(/photograph|lens|light/);
    expect(prompts.length).toBeGreaterThan(5);
  });

  it('builds on what was better, without growing for ever', async () => {
    const refinement = createRefinement(spec({ rounds: 3 }));
    const proposer = offlineProposer(5);
    for (let step = refinement.step(); step.kind !== 'done'; step = refinement.step())
      if (step.kind === 'propose')
        refinement.propose((await proposer.propose(step.history, 4, never)).prompts);
      else for (const trial of step.trials) refinement.tell(trial.id, outcomeOf(trial, likesLight));
    expect((refinement.step() as { verdict: Verdict }).verdict.prompt).toMatch(/light/);
  });
});
