/** Which words of a prompt must stay, and what counts as still there. */
import { describe, expect, it } from 'vitest';
import { contentWords, hasDrifted, lostWords } from '../../../src/loops/refine/drift.ts';

describe('content words', () => {
  it.each([
    ['A red fox in the snow', ['red', 'fox', 'snow']],
    ['(two foxes:1.3), <lora:furry:0.8> 2 cats, masterpiece', ['two', 'foxes', '2', 'cats', 'masterpiece']],
    ['雪の中の赤い狐', expect.arrayContaining(['雪', '狐'])],
    ['café du monde', ['café', 'du', 'monde']],
    ['the', []],
  ])('of %s', (prompt, words) => {
    expect(contentWords(prompt)).toEqual(words);
  });
});

describe('a version', () => {
  it.each([
    ['a red fox', 'Red foxes, running', []],
    ['a fox walking', 'the fox walks', []],
    ['two cities', 'a city, two of them', []],
    ["a king's crown", 'crown of a king', []],
    ['red_fox', 'a red fox', []],
    ['a red fox', 'a fox', ['red']],
    ['a red fox', 'a fox, not red', ['red']],
    ['a fox with a hat', 'a fox without hat', ['hat']],
    ['a street without cars', 'an empty street, no cars', []],
    ['a caterpillar', 'a cat', ['caterpillar']],
  ])('%s → %s has lost %j', (original, version, lost) => {
    expect(lostWords(original, version)).toEqual(lost);
  });

  it('may lose as many words as it is allowed to', () => {
    const original = 'a red fox sitting under an old oak';
    expect(hasDrifted(original, 'a red fox under an old oak', 0.8)).toBe(false);
    expect(hasDrifted(original, 'a red fox under an oak', 0.8)).toBe(true);
    expect(hasDrifted(original, 'a cat', 0)).toBe(false);
    expect(hasDrifted(original, 'a red fox under an old oak', 1)).toBe(true);
  });
});
