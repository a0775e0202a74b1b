/** Judges that are language models elsewhere, in a runtime: what they make of answers, and what of none. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createVision } from '../src/bridge/providers/vision.ts';
import { loadConfig } from '../src/config.ts';
import { openRuntime } from '../src/runtime.ts';
import type { ScoreItem } from '../src/types/request.ts';
import {
  type Answer,
  answers,
  type Endpoint,
  hangs,
  imageOf,
  rates,
  says,
  startEndpoint,
  wordsOf,
} from './support/endpoint.ts';
import { tempFolder } from './support/files.ts';
import { flat, picture, type Raw } from './support/images.ts';

const never = new AbortController().signal;

const item = (
  id: string,
  prompt: string | null = null,
  { data, width, height }: Raw = picture(64, 64),
): ScoreItem => ({
  ...{ id, source: null, prompt },
  fetch: () => ({ kind: 'raw', format: 'rgb8', bytes: data, width, height }),
});

/** A runtime with the judge `vlm` as its default. */
function open({ url }: { url: string }, judge: object = {}, more: object = {}) {
  const judges = { vlm: { url, model: 'tiny', ...judge } };
  const settings = { dataDir: tempFolder(), scorer: 'vlm', logLevel: 'silent', judges, ...more };
  const runtime = openRuntime({ config: loadConfig(settings, undefined, {}) });
  onTestFinished(() => runtime.close());
  const score = (...items: ScoreItem[]) => runtime.score({ items, client: 'test', signal: never });
  return { runtime, score };
}

const about = (endpoint: Endpoint, words: string): number =>
  endpoint.asked.filter((asked) => wordsOf(asked).includes(words)).length;

describe('a judge elsewhere', () => {
  it('expects a rating from the probabilities of five words, and says that it is not calibrated', async () => {
    const endpoint = await startEndpoint(
      rates(
        { Good: 0.6, ' fair': 0.2, ex: 0.1, The: 0.1 },
        { tokens: 50, before: ['<think>', 'bad', '</think>'] },
      ),
    );
    const { score } = open(endpoint);
    const [result] = await score(item('a', 'a cat'));
    const mean = (4 * 0.6 + 3 * 0.2 + 5 * 0.1) / 0.9;
    for (const aspect of ['quality', 'alignment'] as const) {
      const found = result!.aspects![aspect]!;
      expect(found.score).toBeCloseTo(mean, 6);
      expect(found.spread).toBeCloseTo(
        Math.sqrt((0.6 * (4 - mean) ** 2 + 0.2 * (3 - mean) ** 2 + 0.1 * (5 - mean) ** 2) / 0.9),
        6,
      );
      expect(found).toMatchObject({ range: [1, 5], percentile: null, interval: null, coverage: null });
      expect(found.distribution!.probabilities.map((p) => Number(p.toFixed(4)))).toEqual([
        0, 0, 0.2222, 0.6667, 0.1111,
      ]);
    }
    expect(result!.aspects!.authenticity).toBeNull();
    expect(result!.reward).toBeCloseTo((mean - 1) / 4, 6);
    expect(result!.notes).toEqual([expect.stringContaining('vlm: it is not calibrated')]);
    expect(result!.timings).toMatchObject({ tokens: 100 });
    expect(result!.scorer).toMatchObject({ id: 'vlm', calibration: 'none' });
    const { body } = endpoint.asked[0]!;
    expect(body).toMatchObject({ model: 'tiny', temperature: 0, logprobs: true, top_logprobs: 20 });
    expect(imageOf(endpoint.asked[0]!)!.subarray(1, 4).toString()).toBe('PNG');
    expect([about(endpoint, 'a cat'), endpoint.asked.length]).toEqual([1, 2]);
  });

  it('asks nothing of alignment without a prompt, and nothing at all of what a guard stops', async () => {
    const endpoint = await startEndpoint(rates({ poor: 1 }));
    const { score } = open(endpoint);
    const [plain, blank] = await score(item('a'), item('b', null, flat([9, 9, 9])));
    expect([plain!.aspects!.quality!.score, plain!.aspects!.alignment]).toEqual([2, null]);
    expect([blank!.reward, blank!.guards[0]!.guard]).toEqual([null, 'blank']);
    expect([blank!.aspects!.quality, blank!.notes.join()]).toEqual([
      null,
      expect.stringContaining('vlm was not asked'),
    ]);
    expect(endpoint.asked).toHaveLength(1);
  });

  it('goes on with the word where there are no probabilities, and says what is lost', async () => {
    const unknown = (message: string) => answers(400, { error: { message } });
    const endpoint = await startEndpoint(
      unknown('top_logprobs must be at most 5'),
      unknown('logprobs are not supported'),
      says('The quality of the image is excellent.'),
    );
    const { score } = open(endpoint);
    const [result] = await score(item('a'));
    expect(endpoint.asked.map(({ body }) => [body.logprobs, body.top_logprobs])).toEqual([
      [true, 20],
      [true, 5],
      [undefined, undefined],
    ]);
    const { score: value, spread, distribution } = result!.aspects!.quality!;
    expect([value, spread, distribution]).toEqual([5, undefined, undefined]);
    expect(result!.notes.join()).toContain('tiny tells no probabilities');
  });

  it('gives a critique when it is asked for one, and a score without one when that is refused', async () => {
    const wrong =
      (critique: Answer): Answer =>
      (response, asked) =>
        (wordsOf(asked).includes('What is wrong') ? critique : rates({ fair: 1 }))(response, asked);
    const talk = wrong(says('The hand has\nsix fingers.'));
    const silent = wrong(says(null, { refusal: 'No.' }));
    const repeats = wrong(says('Whose is sk-very-secret?'));
    const notes = async (answer: Answer) => {
      const [result] = await open(await startEndpoint(answer), {
        ...{ critique: true, apiKey: 'sk-very-secret' },
      }).score(item('a'));
      return [result!.aspects!.quality!.score, result!.notes.at(-1)];
    };
    expect(await notes(repeats)).toEqual([3, 'critique: Whose is ***?']);
    expect(await notes(talk)).toEqual([3, 'critique: The hand has six fingers.']);
    expect(await notes(silent)).toEqual([3, 'critique: none was given']);
  });

  it.each<[string, Answer, string, RegExp]>([
    [
      'a refusal',
      says(null, { refusal: 'I do not judge people.' }),
      'JUDGE_REFUSED',
      /I do not judge people/,
    ],
    ['a filter', says('', { finish_reason: 'content_filter' }), 'JUDGE_REFUSED', /tiny refuses/],
    ['silence', says(''), 'JUDGE_ANSWER', /it said nothing/],
    ['thoughts without end', says('', { finish_reason: 'length' }), 'JUDGE_ANSWER', /cut off/],
    ['other words', says('A cat on a mat'), 'JUDGE_ANSWER', /A cat on a mat/],
    ['a denial', says('This is not good'), 'JUDGE_ANSWER', /not good/],
    ['two words', says('fair or good'), 'JUDGE_ANSWER', /fair or good/],
    ['a closed door', answers(401, { error: { message: 'no key' } }), 'ENDPOINT_DENIED', /no key/],
    ['a page', (response) => void response.end('<p>hello</p>'), 'ENDPOINT_UNFIT', /not JSON/],
    ['a failure', answers(500, { error: { message: 'out of memory' } }), 'ENDPOINT_FAILED', /out of memory/],
  ])('makes %s an error of its item, never a score', async (_, answer, code, message) => {
    const { score } = open(await startEndpoint(answer));
    const [result] = await score(item('a'));
    expect([result!.error!.code, result!.aspects, result!.reward]).toEqual([code, null, null]);
    expect(result!.error!.message).toMatch(message);
  });

  it('whose model is gone, or says nothing in time, fails its items alone, and is not ready', async () => {
    const gone = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => resolve(port));
      });
    });
    const slow = await startEndpoint(hangs);
    const judges = {
      vlm: { url: `http://127.0.0.1:${gone}`, model: 'tiny' },
      slow: { url: slow.url, model: 'tiny', timeoutMs: 50 },
    };
    const { runtime } = open({ url: '' }, {}, { judges });
    const ask = async (scorer: string) => {
      const [result] = await runtime.score({ items: [item('a')], scorer, client: 'test', signal: never });
      return result!.error;
    };
    const [dead, late] = await Promise.all([ask('vlm'), ask('slow')]);
    expect(dead).toMatchObject({
      code: 'ENDPOINT_UNREACHABLE',
      message: expect.stringContaining(`:${gone}`),
    });
    expect(late).toMatchObject({ code: 'ENDPOINT_UNREACHABLE', message: expect.stringContaining('50 ms') });
    expect(runtime.notReady()).toContain('no answer from the language model');
  });

  it.each<[string, object, RegExp]>([
    ['no address', { url: 'ftp://models' }, /judges\.vlm\.url.*http or https address/s],
    ['an unknown field', { tokens: 3 }, /judges\.vlm\.tokens.*known key/s],
    ['no question at all', { concurrency: 0 }, /judges\.vlm\.concurrency/],
  ])('of %s is refused with the config', (_, judge, message) => {
    expect(() => open({ url: 'http://127.0.0.1:1' }, judge)).toThrow(message);
  });

  it.each<[string, object, string]>([
    [
      'two keys',
      { apiKey: 'sk-very-secret', apiKeyFile: 'key' },
      'judges.vlm.apiKey or judges.vlm.apiKeyFile',
    ],
    ['no key file', { apiKeyFile: 'gone/key' }, 'judges.vlm.apiKeyFile'],
    ['a password in its address', { url: 'http://me:secret@127.0.0.1:1' }, 'holds a name or password'],
  ])('with %s is refused when it is asked, and nothing secret is repeated', async (_, judge, message) => {
    const { runtime } = open({ url: 'http://127.0.0.1:1' }, judge);
    const asked = runtime.score({ items: [item('a')], client: 'test', signal: never });
    await expect(asked).rejects.toThrow(message);
    await expect(asked).rejects.not.toThrow('secret');
  });

  it('goes on without a calibration that cannot be read, and says so', async () => {
    const dataDir = tempFolder();
    mkdirSync(join(dataDir, 'judges'));
    writeFileSync(join(dataDir, 'judges', 'vlm.json'), '{"version": 1');
    const { score } = open(await startEndpoint(rates({ good: 1 })), {}, { dataDir });
    const [result] = await score(item('a'));
    expect([result!.aspects!.quality!.score, result!.aspects!.quality!.interval]).toEqual([4, null]);
    expect(result!.notes.join()).toContain('its calibration cannot be read');
  });

  it('has the name of no installed scorer, and is among those that are known', async () => {
    expect(() =>
      open(
        { url: 'http://127.0.0.1:1' },
        {},
        { judges: { 'assay-lite': { url: 'http://a.b', model: 'm' } } },
      ),
    ).toThrow(/judges\.assay-lite/);
    const { runtime } = open({ url: 'http://127.0.0.1:1' });
    await expect(
      runtime.score({ items: [item('a')], scorer: 'vml', client: 'test', signal: never }),
    ).rejects.toThrow(/did you mean "vlm"\?.*vlm/s);
    expect(runtime.scorers().at(-1)).toMatchObject({ id: 'vlm', default: true, backend: 'chat' });
  });
});

describe('a provider', () => {
  const image = { type: 'image/png' as const, bytes: new Uint8Array([1]), key: 'one' };
  const ask = (url: string, more: object = {}) =>
    createVision({
      url,
      model: 'tiny',
      timeoutMs: 5000,
      maxTokens: 10,
      concurrency: 2,
      cache: 10,
      retryMs: 1,
      ...more,
    });
  const question = (text: string) => ({ image, turns: [{ role: 'user' as const, text }] });

  it('asks so many questions at once, and waits out one that has no place', async () => {
    let [inside, most] = [0, 0];
    const slowly: Answer = (response, asked) => {
      most = Math.max(most, ++inside);
      setTimeout(() => {
        inside--;
        says('good')(response, asked);
      }, 20);
    };
    const busy = answers(429, { error: { message: 'slow down' } }, { 'retry-after': '0' });
    const endpoint = await startEndpoint(busy, busy, busy, busy, slowly);
    const provider = ask(endpoint.url);
    const said = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((text) => provider.ask(question(text), never)),
    );
    expect(said.map(({ text }) => text)).toEqual(['good', 'good', 'good', 'good', 'good']);
    expect([most, endpoint.asked.length]).toEqual([2, 9]);
    expect(Math.max(...said.map(({ queueMs }) => queueMs))).toBeGreaterThan(15);
  });

  it('learns once how much it may ask for, though several questions are on their way', async () => {
    const strict: Answer = (response, asked) => {
      const refuse = () =>
        answers(400, { error: { message: 'top_logprobs must be at most 5' } })(response, asked);
      const isMany = (asked.body.top_logprobs ?? 0) > 5;
      setTimeout(() => (isMany ? refuse() : rates({ good: 1 })(response, asked)), isMany ? 20 : 0);
    };
    const endpoint = await startEndpoint(strict);
    const provider = ask(endpoint.url, { concurrency: 3 });
    const said = await Promise.all(['a', 'b', 'c'].map((text) => provider.ask(question(text), never)));
    expect(said.map(({ tokens }) => tokens?.length)).toEqual([1, 1, 1]);
    expect(endpoint.asked).toHaveLength(6);
  });

  it('takes a denial of probabilities for what it is, beside a key that is right', async () => {
    const endpoint = await startEndpoint(
      answers(403, { error: { message: 'You are not allowed to request logprobs from this model' } }),
      says('good'),
    );
    expect(await ask(endpoint.url).ask(question('a'), never)).toMatchObject({ text: 'good', tokens: null });
  });

  it('gives up on one that is busy for ever', async () => {
    const endpoint = await startEndpoint(answers(429, { error: { message: 'quota' } }));
    await expect(ask(endpoint.url).ask(question('a'), never)).rejects.toMatchObject({
      code: 'ENDPOINT_BUSY',
    });
    expect(endpoint.asked).toHaveLength(10);
  });

  it('remembers answers by image, conversation and model; what is remembered costs nothing', async () => {
    const endpoint = await startEndpoint(says('good', { tokens: 7 }));
    const provider = ask(endpoint.url);
    const first = await provider.ask(question('a'), never);
    const again = await provider.ask(question('a'), never);
    await provider.ask(question('b'), never);
    await provider.ask({ ...question('a'), image: { ...image, key: 'two' } }, never);
    expect([first.cost, again.cost, again.inferMs, again.text]).toEqual([7, 0, 0, 'good']);
    expect(endpoint.asked).toHaveLength(3);
  });
});
