/** What remains of prompts before a model reads them. */
import { describe, expect, it } from 'vitest';
import { normalise } from '../../src/prompt/words/normalise.ts';
import { cpuMsOf } from '../support/cpu.ts';

describe('ordinary text is left as it is', () => {
  it.each([
    'a (small) cat',
    'Mr. Smith: portrait',
    'C++ and std::vector',
    '[sic]',
    'he wrote "teh [sic] cat"',
    'a 👩‍🚀 astronaut 🦊',
    '一只红色的狐狸，雪地',
    'مرحبا بالعالم',
    'see http://example.com/a?b=1 for it',
    '50% off (today)',
    'ratio (16:9) poster, (John 3:16), time 10:30',
    'ROCK AND ROLL',
    'a sign that says "AND"',
    'R&D lab, 1 < 2 and 3 > 2, I <3 you',
    'a glass bridge\nover clouds',
    '#1 fan',
    'a -- b, a well-known man, a – b',
    'snake_case_name, a | b, a~b^c, price: $5',
    'the (very) long (road) home :)',
    'a masterpiece of baroque art, best quality control in town',
    'C:\\dir\\x',
    'Steps: how to climb',
    'a sweep--no broom',
    '(unclosed, [brackets',
    'a fox, rock.and(roll), a (small)-ish cat',
  ])('%s', (text) => {
    expect(normalise(text)).toEqual({ words: text, negative: null, reason: null });
  });
});

describe('what is no word goes', () => {
  it.each([
    ['a weight', '(a red fox:1.2) in (snow : 0.8)', 'a red fox in snow'],
    ['doubled brackets', '((a red fox)), [[snow]], {{ice}}', 'a red fox, snow, ice'],
    ['brackets beside weights', '(blue eyes:1.1), (red hair), [freckles]', 'blue eyes, red hair, freckles'],
    ['weights within weights', '((a:1.2) and b:1.1)', 'a and b'],
    ['weights behind brackets', '(a fox)1.3, (snow)++', 'a fox, snow'],
    [
      'a weight behind a bracket in a sentence',
      '(fox)1.2 in (deep snow)-- at (night)0.8',
      'fox in deep snow at night',
    ],
    ['marks behind words', 'a fox++ and an owl-- in snow+++, C++', 'a fox and an owl in snow, C++'],
    ['a blend', '("a red fox", "an owl").blend(0.7, 0.3)', 'a red fox, an owl'],
    ['a conjunction', '("a red fox","an owl").and()', 'a red fox, an owl'],
    ['a swap', 'a cat.swap(fox) in ("deep grass").swap("snow", s_end=0.5)', 'a fox in snow'],
    ['a weight of zero', 'a fox, (snow:0)', 'a fox'],
    ['a schedule', '[cat:dog:0.5] and [fog:10] and [sun::0.3]', 'cat, dog and fog and sun'],
    ['alternatives', '[cow|horse] in a field', 'cow, horse in a field'],
    ['escapes', 'cat \\(animal\\) \\[x\\]', 'cat (animal) [x]'],
    ['networks', '<lora:a:0.8><lyco:b:1:lbw=2> a fox <hypernet:c:1>', 'a fox'],
    ['networks with entities', '&lt;lora:a:1&gt; a cat &amp; a dog', 'a cat & a dog'],
    ['embeddings', 'embedding:x, (embedding:y:1.2), <embedding:z>, a fox', 'a fox'],
    ['breaks', 'a fox BREAK snow\nBREAK\nice', 'a fox, snow, ice'],
    ['composition', 'a cat :1.2 AND a dog :0.5', 'a cat, a dog'],
    ['comments', '# mine\na fox // quick\n/* not\nthis */ in snow', 'a fox\nin snow'],
    ['flags', 'a fox --ar 16:9 --no hands, text --v 6', 'a fox'],
    ['flags by autocorrection', 'a fox —ar 16:9 —stylize 250', 'a fox'],
    ['words behind a flag', 'a fox --ar 16:9, oil painting', 'a fox, oil painting'],
    ['weighted parts', 'space::2 ship:: fog::-0.5', 'space, ship'],
    ['weights in front', '1.5::rain, night::, -1::hat::', 'rain, night'],
    ['ratings of tags', 'masterpiece, best quality, score_9, a fox', 'a fox'],
    ['repeated commas', 'a fox ,,, , snow,', 'a fox, snow'],
    ['white space', '  a \t red   fox \n\n\n in snow ', 'a red fox\nin snow'],
    ['marks that nobody sees', '\ufeffa\u200b red\u0000fox', 'a red fox'],
    ['one tag beside another', '(masterpiece:1.3), <lora:d:0.8>, a fox BREAK embedding:e', 'a fox'],
  ])('%s', (_what, text, words) => {
    expect(normalise(text).words).toBe(words);
  });
});

describe('the negative part is kept apart', () => {
  it.each([
    [
      'below',
      'a fox\nNegative prompt: ugly, (text:1.2)\nSteps: 20, Sampler: Euler, CFG scale: 7',
      'ugly, text',
    ],
    ['in one line', 'a fox. Negative prompt: ugly Steps: 20, Sampler: Euler, CFG scale: 7', 'ugly'],
    ['in one line without a stop', 'a fox Negative prompt: ugly', 'ugly'],
    ['in a flag', 'a fox --no hands, text', 'hands, text'],
    ['in parts', 'a fox AND ugly :-1', 'ugly'],
    ['in weights', 'a fox, (ugly:-0.5)', 'ugly'],
  ])('%s', (_where, text, negative) => {
    expect(normalise(text)).toMatchObject({ words: expect.stringMatching(/^a fox/), negative });
    expect(normalise(text).words).not.toMatch(/ugly|hands|Steps/);
  });
});

describe('there is none', () => {
  it.each([
    ['', 'the prompt has no words'],
    [' \n\t', 'the prompt has no words'],
    ['🦊🦊 1️⃣', 'the prompt has no words'],
    ['... !!', 'the prompt has no words'],
    ['<lora:x:1>, embedding:y', 'nothing but tags is left of the prompt'],
    ['best quality, masterpiece', 'nothing but tags is left of the prompt'],
    ['Negative prompt: ugly\nSteps: 20, Sampler: Euler, CFG scale: 7', 'the prompt has no words'],
    ['Steps: 20, Sampler: Euler, CFG scale: 7, Seed: 1', 'the prompt has no words'],
    ['a __animal__ in snow', '__animal__ is not filled in'],
    ['a __colour/dark*__ fox', '__colour/dark*__ is not filled in'],
    ['a {red|blue} fox', '{red|blue} is not filled in'],
    ['a {2$$, $$red|blue} fox', 'is not filled in'],
    ['a <random:red|blue> fox', '<random:red|blue> is not filled in'],
    [`a $\{colour} fox`, 'colour} is not filled in'],
  ])('in %j', (text, reason) => {
    expect(normalise(text)).toMatchObject({ words: null, reason: expect.stringContaining(reason) });
  });
});

it('takes time in proportion to the length', () => {
  const bits = [
    '(',
    '[',
    '{',
    ')',
    '((a:1.2',
    '<lora:',
    '__a',
    '__',
    '/*',
    ',',
    ' ,',
    '\n',
    '1::',
    'AND ',
    '--no ',
    '\\',
    '&#',
    '|',
    '[a|',
    '# ',
    '//',
    'a: 1,',
    '("a",',
    '"a",',
    'abc++',
    '.swap(',
    '").blend(',
    '${',
    '(a)1',
    '[[a:b:1]',
    'steps: 1,',
    '<a:1',
    '1',
    'embedding:',
    'MASK(',
    '.',
  ];
  const spent = cpuMsOf(() => {
    for (const bit of bits) normalise(`${bit.repeat(100_000 / bit.length)}x`);
  });
  // some 10 ms each; what grows with the square of the length takes minutes
  expect(spent).toBeLessThan(10_000);
});

it('cleans a text once: the images of a request share their prompt', () => {
  const text = 'a (red:1.2) fox, '.repeat(5000);
  expect(normalise(text)).toBe(normalise(`${text}`));
});
