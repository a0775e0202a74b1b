/** The grammar of the AUTOMATIC1111 family. */
import { expect, it } from 'vitest';
import { isInfotext, parseInfotext } from '../../src/prompt/infotext.ts';

const PARAMETERS = 'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512';

it('takes a text apart', () => {
  const text = `a red fox,\nin snow\nNegative prompt: ugly,\ntext\n${PARAMETERS}, Version: v1.10.1`;
  const { prompt, negative, parameters } = parseInfotext(text);
  expect({ prompt, negative }).toEqual({ prompt: 'a red fox,\nin snow', negative: 'ugly,\ntext' });
  expect([...parameters]).toEqual([
    ['Steps', '20'],
    ['Sampler', 'Euler a'],
    ['CFG scale', '7'],
    ['Seed', '1'],
    ['Size', '512x512'],
    ['Version', 'v1.10.1'],
  ]);
});

it('reads values in quotes as JSON', () => {
  const quoted = `Lora hashes: "a: 1, b: 2", Hires prompt: "a \\"big\\" fox\\nin snow", Token merging ratio: 0.5`;
  const { parameters } = parseInfotext(`a fox\n${PARAMETERS}, ${quoted}`);
  expect(parameters.get('Lora hashes')).toBe('a: 1, b: 2');
  expect(parameters.get('Hires prompt')).toBe('a "big" fox\nin snow');
  expect(parameters.get('Token merging ratio')).toBe('0.5');
  expect(parseInfotext(`a fox\n${PARAMETERS}, Broken: "no end`).parameters.get('Seed')).toBe('1');
});

it.each([
  ['prompt alone', 'a red fox', 'a red fox', '', 0],
  ['no negative part', `a red fox\n${PARAMETERS}`, 'a red fox', '', 5],
  ['no parameters', 'a red fox\nNegative prompt: ugly', 'a red fox', 'ugly', 0],
  [
    'two negative parts',
    `a fox\nNegative prompt: ugly\nNegative prompt: blurry\n${PARAMETERS}`,
    'a fox',
    'ugly\nblurry',
    5,
  ],
  ['no prompt', `Negative prompt: ugly\n${PARAMETERS}`, '', 'ugly', 5],
  ['parameters alone', PARAMETERS, '', '', 5],
  ['other order of parameters', 'a red fox\nSize: 512x512, Seed: 1, Model: m', 'a red fox', '', 3],
  [
    'lines that look a little like parameters',
    'a red fox\nmood: calm, light: soft',
    'a red fox\nmood: calm, light: soft',
    '',
    0,
  ],
  ['lost line breaks', `a red fox. Negative prompt: ugly. ${PARAMETERS}`, 'a red fox', 'ugly.', 5],
  [
    'a prompt that speaks of steps',
    `Steps: 3, up to a door\na fox\n${PARAMETERS}`,
    'Steps: 3, up to a door\na fox',
    '',
    5,
  ],
  [
    'other scripts and emoji',
    `雪中的狐狸，"晨光" 🦊\nNegative prompt: 模糊\n${PARAMETERS}`,
    '雪中的狐狸，"晨光" 🦊',
    '模糊',
    5,
  ],
  [
    'a hash and a time in the values',
    `a\n${PARAMETERS}, Created at: 2026-01-01T10:00:00.0Z, Hash: "x, y"`,
    'a',
    '',
    7,
  ],
  ['Windows line breaks', `a red fox\r\nNegative prompt: ugly\r\n${PARAMETERS}`, 'a red fox', 'ugly', 5],
])('%s', (_what, text, prompt, negative, count) => {
  const found = parseInfotext(text);
  expect([found.prompt, found.negative, found.parameters.size]).toEqual([prompt, negative, count]);
});

it('knows ordinary text', () => {
  for (const text of [
    'a red fox',
    'Steps: 20 of them, in snow',
    'Steps: 3, climbing',
    'a negative prompt',
    '',
  ])
    expect(isInfotext(text)).toBe(false);
  for (const text of [PARAMETERS, 'a\nNegative prompt: b', `a. ${PARAMETERS}`])
    expect(isInfotext(text)).toBe(true);
});
