/** Prompts of any kind: something comes of each, soon, and words that need no cleaning stay as they are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findInTexts } from '../../src/prompt/file.ts';
import { parseInfotext, parseParameters } from '../../src/prompt/infotext.ts';
import { hasWords, normalise } from '../../src/prompt/words/normalise.ts';
import { cpuMsOf } from '../support/cpu.ts';

/** What grammars of prompts are made of. */
const crumb = fc.constantFrom(
  ...['(', ')', '[', ']', '{', '}', '<', '>', '|', ':', ',', '\\', '"', "'", '\n', ' ', '__', '#', '&', ';'],
  ...[
    '1.2',
    '0',
    ':-1.5)',
    '<lora:a:1>',
    'BREAK',
    'AND',
    '--ar 3:2',
    '&lt;',
    '&#x1f600;',
    '{a|b}',
    '++',
    '//',
  ],
  ...[
    'Negative prompt:',
    'Steps: 20, ',
    'Seed: 1',
    'embedding:x',
    'score_9',
    'cat',
    'red fox',
    '猫',
    '😀',
    '\u200b',
  ],
);
const text = fc.oneof(
  fc.array(crumb, { maxLength: 40 }).map((crumbs) => crumbs.join('')),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
/** Plain words, of which nothing is meant to go. */
const word = fc.constantFrom('cat', 'red', 'fox', 'in', 'snow', 'café', 'Straße', '猫', 'два');
const sentence = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(' '));

test('the normaliser answers to anything, with words or a reason', () => {
  fc.assert(
    fc.property(text, (given) => {
      const { words, negative, reason } = normalise(given);
      expect(words === null).toBe(reason !== null);
      for (const side of [words, negative]) {
        if (side === null) continue;
        expect(hasWords(side)).toBe(true);
        expect(side).toBe(side.trim());
        // biome-ignore lint/suspicious/noControlCharactersInRegex: there are to be none
        expect(side).not.toMatch(/[\u0000-\u0009\u000b-\u001f\ufeff\u200b]/);
      }
    }),
    { numRuns: 1000 },
  );
});

test('plain words stay as they are, and weights around them go', () => {
  fc.assert(
    fc.property(sentence, fc.integer({ min: 1, max: 19 }), (given, tenths) => {
      expect(normalise(given).words).toBe(given);
      expect(normalise(`(${given}:${tenths / 10}), <lora:x:1>`).words).toBe(given);
      expect(normalise(`((${given}))`).words).toBe(given);
    }),
    { numRuns: 100 },
  );
});

test('what a program writes into a file is read back', () => {
  const value = fc.oneof(
    sentence,
    fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
    fc.integer().map(String),
  );
  const quoted = (plain: string) => (/[,:\n"\\]|^\s|\s$/.test(plain) ? JSON.stringify(plain) : plain);
  const parameters = fc.dictionary(fc.constantFrom('Sampler', 'CFG scale', 'Seed', 'Size', 'Model'), value, {
    minKeys: 3,
  });
  fc.assert(
    fc.property(sentence, fc.option(sentence), parameters, (prompt, negative, given) => {
      const pairs = Object.entries({ Steps: '20', ...given }).map(
        ([name, plain]) => `${name}: ${quoted(plain)}`,
      );
      const lines = [prompt, ...(negative ? [`Negative prompt: ${negative}`] : []), pairs.join(', ')];
      const found = parseInfotext(lines.join('\n'));
      expect([found.prompt, found.negative]).toEqual([prompt, negative ?? '']);
      expect(Object.fromEntries(found.parameters)).toEqual({ Steps: '20', ...given });
    }),
    { numRuns: 200 },
  );
});

test('texts in a file, whatever they are, give a prompt or say why there is none', () => {
  const key = fc.oneof(
    fc.constantFrom(
      'parameters',
      'prompt',
      'workflow',
      'Comment',
      'Description',
      'sd-metadata',
      'UserComment',
    ),
    fc.string({ maxLength: 8 }),
  );
  const json = fc.json({ maxDepth: 4 });
  const item = fc.record({ place: fc.constant('PNG chunk'), key, text: fc.oneof(text, json) });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 4 }), (items) => {
      const found = findInTexts(items as never);
      if (found.prompt === null) expect(found.reason).toBeTruthy();
      else expect(hasWords(found.prompt)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('a pattern over and over takes time in proportion to its length', () => {
  const pattern = fc.array(crumb, { minLength: 1, maxLength: 6 }).map((crumbs) => crumbs.join(''));
  fc.assert(
    fc.property(pattern, (once) => {
      const long = once.repeat(Math.ceil(20_000 / once.length));
      const ms = cpuMsOf(() => {
        normalise(long);
        parseParameters(long);
      });
      expect(ms).toBeLessThan(1500); // some 5 ms; seconds where the square of it counts
    }),
    { numRuns: 60 },
  );
});
