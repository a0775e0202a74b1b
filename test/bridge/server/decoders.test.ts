/** What clients send, in any form: each decoder gives back what was meant, or a coded error, and nothing else. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { decodeBase64, decodeLongBase64 } from '../../../src/bridge/server/wire/base64.ts';
import { type Codec, json, msgpack } from '../../../src/bridge/server/wire/codec.ts';
import { LONG_BYTES } from '../../../src/bridge/server/wire/json-scan.ts';
import { LongText } from '../../../src/bridge/server/wire/long-text.ts';
import { parse } from '../../../src/bridge/server/wire/parse.ts';
import { rewardBody } from '../../../src/bridge/server/wire/reward-schemas.ts';
import { scoreBody } from '../../../src/bridge/server/wire/schemas.ts';
import { anyOf, bytes, isPlain, key, leaf, outcome, spoilt } from '../../support/arbitrary.ts';

fc.configureGlobal({ numRuns: 200 });

const packr = new Packr({ useRecords: false });

/** As the handlers of routes see it: a message, or a refusal that names what is wrong. */
async function understood(codec: Codec, body: Buffer): Promise<void> {
  const decoded = await outcome(() => codec.decode(body));
  if ('code' in decoded) return void expect(decoded.code).toBe('MALFORMED_BODY');
  expect(isPlain(decoded.value.value)).toBe(true);
  for (const schema of [scoreBody, rewardBody]) {
    const parsed = await outcome(() => parse(schema, decoded.value.value));
    if ('code' in parsed) expect(parsed.code).toBe('BAD_REQUEST');
  }
}

describe('MessagePack', () => {
  test('gives back what was packed', async () => {
    const value = anyOf(bytes());
    await fc.assert(
      fc.asyncProperty(value, async (given) => {
        // its own reader is the measure of what a key like `__proto__` becomes
        const { value: found } = await msgpack.decode(packr.pack(given));
        expect(found).toEqual(packr.unpack(packr.pack(given)));
        expect(isPlain(found)).toBe(true);
      }),
    );
  });

  test('refuses the rest', async () => {
    const body = fc.oneof(bytes(), spoilt(anyOf(bytes()).map((value) => packr.pack(value))));
    await fc.assert(fc.asyncProperty(body, (given) => understood(msgpack, given)));
  });
});

describe('JSON', () => {
  const long = fc
    .tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.integer({ min: 200, max: 700 }))
    .map(([text, times]) => text.repeat(times));

  /** Long strings of images stay bytes: what stood between the quotes. */
  const shown = (value: unknown): unknown => {
    if (value instanceof LongText) return JSON.parse(`"${value.bytes.toString('utf8')}"`);
    if (Array.isArray(value)) return value.map(shown);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shown(inner)]));
  };
  const same = async (text: string) => {
    const parsed = await outcome(() => {
      try {
        return JSON.parse(text);
      } catch {
        return undefined;
      }
    });
    const decoded = await outcome(async () => shown((await json.decode(Buffer.from(text))).value));
    if ('code' in parsed || parsed.value === undefined) expect(decoded).toEqual({ code: 'MALFORMED_BODY' });
    else expect(decoded).toEqual(parsed);
  };

  test('means what JSON.parse says it means, long strings and all', async () => {
    const text = fc
      .tuple(anyOf(long), fc.constantFrom(0, 2))
      .map(([value, n]) => JSON.stringify(value, null, n));
    await fc.assert(fc.asyncProperty(text, same));
  });

  test('has no names of fields as long as an image', async () => {
    const map = fc.dictionary(fc.oneof(key, long), fc.oneof(leaf, long), { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(map, async (given) => {
        const text = JSON.stringify(given);
        const isLong = (name: string) => Buffer.byteLength(JSON.stringify(name)) - 2 >= LONG_BYTES;
        if (!Object.keys(given).some(isLong)) return same(text);
        expect(await outcome(() => json.decode(Buffer.from(text)))).toEqual({ code: 'MALFORMED_BODY' });
      }),
      { numRuns: 100 },
    );
  });

  test('is refused where JSON.parse refuses it', async () => {
    const texts = spoilt(anyOf(long).map((value) => Buffer.from(JSON.stringify(value))));
    await fc.assert(fc.asyncProperty(texts, (given) => understood(json, given)));
    const odd = fc.string({ unit: fc.constantFrom(...'[]{}",:\\/tfn01-+eE.u \n') });
    await fc.assert(fc.asyncProperty(odd, same));
  });
});

describe('base64', () => {
  const both = async (text: string) => {
    const short = await outcome(() => decodeBase64(text));
    expect(await outcome(() => decodeLongBase64(new LongText(Buffer.from(text))))).toEqual(short);
    return short;
  };
  /** As encoders write it. */
  const written = (data: fc.Arbitrary<Buffer>) =>
    fc
      .record({
        data,
        isUrlSafe: fc.boolean(),
        line: fc.constantFrom(0, 64, 76),
        prefix: fc.constantFrom('', 'data:image/png;base64,', 'data:;base64,'),
      })
      .map(({ data, isUrlSafe, line, prefix }) => {
        const digits = data.toString(isUrlSafe ? 'base64url' : 'base64');
        const lines = line === 0 ? digits : digits.replace(new RegExp(`.{${line}}`, 'g'), '$&\r\n');
        return { data, text: prefix + lines };
      });

  test('gives back the bytes, in one piece and in several', async () => {
    await fc.assert(
      fc.asyncProperty(written(bytes()), async ({ data, text }) => {
        expect(await both(text)).toEqual({ value: data });
      }),
    );
    const large = fc.integer({ min: 49_100, max: 49_200 }).map((length) => Buffer.alloc(length, 'picture'));
    await fc.assert(
      fc.asyncProperty(written(large), async ({ data, text }) => {
        expect(await both(text)).toEqual({ value: data });
      }),
      { numRuns: 20 },
    );
  });

  test('is refused when it is none', async () => {
    const text = fc.string({ unit: fc.constantFrom(...'AZaz09+/-_= \n\r\t,:;!ü'), maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        const found = await both(given);
        if ('code' in found) return void expect(['IMAGE_ENCODING', 'BAD_REQUEST']).toContain(found.code);
        const digits = given.replace(/^data:[^,]*,/, '').replace(/\s/g, '');
        expect(digits).toMatch(/^[A-Za-z0-9+/_-]*={0,2}$/);
        expect(found.value).toEqual(Buffer.from(digits, 'base64'));
      }),
    );
  });
});
