/** JSON bodies: parsed as `JSON.parse` does, within limits, without making strings of images. */
import { describe, expect, test } from 'vitest';
import { type Random, randomOf } from '../../../bench/fuzz/random.ts';
import { decodeLongBase64 } from '../../../src/bridge/server/base64.ts';
import { json } from '../../../src/bridge/server/codec.ts';
import { decodeJson } from '../../../src/bridge/server/json.ts';
import { LongText } from '../../../src/bridge/server/long-text.ts';

const decode = async (text: string | Buffer) => (await decodeJson(Buffer.from(text))).value;

const outcomeOf = (work: () => Promise<unknown>): Promise<unknown> =>
  work().then(
    (value) => ({ value }),
    () => 'refused',
  );

/** Strings of all lengths around the limit, with whatever needs an escape. */
function anyText(random: Random): string {
  const length = random.pick([0, 1, 10, 4000, 4096, 4097, 9000]);
  const kind = random.pick(['a', 'ü', '"', '\\', '\n', '\u0000', '😀', '{,:[']);
  return Array.from({ length: length / kind.length }, () => (random.chance(0.9) ? 'b' : kind)).join('');
}

function anyValue(random: Random, depth: number): unknown {
  const few = random.below(6);
  const leaves = [null, true, random.next(), -random.below(1000), anyText(random), anyText(random)];
  if (depth === 0 || random.chance(0.3)) return random.pick(leaves);
  if (random.chance(0.5)) return Array.from({ length: few }, () => anyValue(random, depth - 1));
  const keys = ['a', '"', '\\', 'x:y', '__proto__', 'constructor', 'ü'];
  return Object.fromEntries(
    Array.from({ length: few }, () => [random.pick(keys), anyValue(random, depth - 1)]),
  );
}

test.each([1, 2, 3, 4])('seed %i: what JSON.parse says', async (seed) => {
  const random = randomOf(seed);
  for (let round = 0; round < 150; round++) {
    const text = JSON.stringify(anyValue(random, 4), null, random.pick([0, 2]));
    expect(await decode(text)).toEqual(JSON.parse(text));
  }
});

test.each([5, 6, 7])('seed %i: broken text is refused as it refuses it', async (seed) => {
  const random = randomOf(seed);
  for (let round = 0; round < 300; round++) {
    const text = JSON.stringify(anyValue(random, 3));
    const at = random.below(text.length);
    const broken = random.chance(0.5)
      ? text.slice(0, at)
      : text.slice(0, at) + random.pick(['"', '\\', ',', '\u0001', '}']) + text.slice(at);
    const expected = await outcomeOf(async () => JSON.parse(broken));
    const found = await outcomeOf(() => decode(broken));
    expect(found).toEqual(expected);
  }
});

describe('limits', () => {
  test.each([
    ['8 million fields', `{${'"k":1,'.repeat(8_000_000)}"k":1}`, 'more than 80000 values'],
    ['empty lists', `[${'[],'.repeat(60_000)}[]]`, 'more than 80000 values'],
    ['depth', '['.repeat(50), 'nested deeper than 32'],
    ['a long name', `{"${'k'.repeat(5000)}":1}`, 'name of a field'],
    ['white space', `[${' '.repeat(9_000_000)}]`, 'bytes beside the images'],
    ['digits', `[${'1'.repeat(9_000_000)}]`, 'bytes beside the images'],
    ['long text in one field', JSON.stringify({ prompt: 'x'.repeat(9_000_000) }), 'bytes beside the images'],
    ['long text in many', JSON.stringify(Array(100).fill('x'.repeat(100_000))), 'bytes beside the images'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'UTF-8'],
  ])('%s', async (_, text, reason) => {
    await expect((async () => json.decode(Buffer.from(text)))()).rejects.toMatchObject({
      code: 'MALFORMED_BODY',
      message: expect.stringContaining(reason),
    });
  });

  test('many images of any length are no text', async () => {
    const items = Array.from({ length: 20 }, () => ({ image: 'A'.repeat(2 ** 20) }));
    const { items: found } = (await decode(JSON.stringify({ items }))) as { items: { image: unknown }[] };
    expect(found.every(({ image }) => image instanceof LongText && image.bytes.length === 2 ** 20)).toBe(
      true,
    );
  });
});

describe('long base64', () => {
  const bytes = randomOf(1).bytes(300_000);
  const text = bytes.toString('base64');
  const inLines = (end: string) => text.replace(/.{76}/g, `$&${end}`);

  test.each([
    ['plain', text],
    ['without padding', text.replace(/=+$/, '')],
    ['URL-safe', bytes.toString('base64url')],
    ['a data: URL', `data:image/png;base64,${text}`],
    ['in lines', inLines('\\r\\n')],
    ['in lines, the last one, too', `${inLines('\\n')}\\n`],
    ['with escaped slashes', text.replaceAll('/', '\\/')],
    ['with odd escapes', text.replaceAll('A', '\\u0041')],
  ])('%s', async (_, wire) => {
    expect((await decodeLongBase64(new LongText(Buffer.from(wire)))).equals(bytes)).toBe(true);
  });

  test.each([0, 1, 2])('more than a piece long, with %i bytes over', async (over) => {
    const many = Buffer.alloc(2 ** 21 + over, 'assay');
    expect((await decodeLongBase64(new LongText(Buffer.from(many.toString('base64'))))).equals(many)).toBe(
      true,
    );
  });

  test('hundreds that are none are refused in slices', async () => {
    const wires = ['!', '\\u0021'].map((bit) => Buffer.from(bit.repeat(800_000 / bit.length)));
    const texts = wires.flatMap((wire) => Array.from({ length: 100 }, () => new LongText(wire)));
    let longest = 0;
    let last = process.threadCpuUsage(); // what other programs take does not count
    const look = () => {
      const { user, system } = process.threadCpuUsage(last);
      last = process.threadCpuUsage();
      longest = Math.max(longest, (user + system) / 1000);
    };
    const timer = setInterval(look, 1);
    const refused = await Promise.allSettled(texts.map((text) => decodeLongBase64(text)));
    clearInterval(timer);
    look();
    expect(refused.filter(({ status }) => status === 'rejected')).toHaveLength(texts.length);
    expect(longest).toBeLessThan(50);
  });

  test.each([
    ['an odd character', `${text.slice(0, 200_000)}!${text.slice(200_000)}`, 'character "!" at 200000'],
    ['padding in the middle', `${'A'.repeat(2 ** 20 - 2)}==${'A'.repeat(2 ** 20)}`, 'padded wrongly'],
    ['a digit too many', 'A'.repeat(2 ** 20 + 1), 'cut short or padded wrongly'],
    ['an escape that is none', `${'A'.repeat(5000)}\\q`, 'escape'],
    ['a URL', `https://example.com/${'A'.repeat(5000)}`, 'never fetched'],
  ])('%s is refused', async (_, wire, reason) => {
    await expect(decodeLongBase64(new LongText(Buffer.from(wire)))).rejects.toThrow(reason);
  });
});
