/** A language model that proposes prompts, over real HTTP: what it is asked, and what it may do wrong. */
import { describe, expect, it } from 'vitest';
import { type ChatSettings, createChat } from '../../../src/bridge/providers/chat.ts';
import { rewriter } from '../../../src/bridge/providers/rewriter.ts';
import type { History } from '../../../src/types/proposer.ts';
import { answers, hangs, proposes, says, startEndpoint } from '../../support/endpoint.ts';

const KEY = 'sk-very-secret-key';
const history: History = {
  original: 'a red fox',
  words: ['red', 'fox'],
  measure: 'quality',
  attempts: [
    { prompt: 'a red fox', value: 2.5, gain: null, seeds: 4, critique: 'alignment 3.10' },
    { prompt: 'a red fox in soft light', value: 2.8, gain: 0.3, seeds: 4, critique: '' },
  ],
  refused: [{ prompt: 'a blue cat', reason: 'it has lost red, fox' }],
};
const never = new AbortController().signal;

const ask = (url: string, more: Partial<ChatSettings> = {}, signal = never) => {
  const settings = { url, model: 'tiny', timeoutMs: 2000, maxTokens: 10_000, retryMs: 1, ...more };
  const proposer = rewriter(createChat(settings));
  return { proposer, proposal: proposer.propose(history, 2, signal) };
};

const failure = (code: string, message: RegExp = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a language model', () => {
  it('is shown what was tried, how it did and what must stay, and asked for JSON', async () => {
    const { url, asked } = await startEndpoint(proposes('a red fox, seen close', 'a red fox at dawn'));
    const { proposer, proposal } = ask(`${url}/v1/`, { apiKey: KEY });
    expect(await proposal).toEqual({ prompts: ['a red fox, seen close', 'a red fox at dawn'], notes: [] });
    expect(proposer.cost()).toMatchObject({ requests: 1, tokens: 100, isEstimated: false });
    const [{ path, headers, body }] = asked as [(typeof asked)[0]];
    expect([path, headers.authorization]).toEqual(['/v1/chat/completions', `Bearer ${KEY}`]);
    expect(body.response_format).toMatchObject({
      type: 'json_schema',
      json_schema: { strict: true, schema: { required: ['variants'], additionalProperties: false } },
    });
    const text = body.messages.map(({ content }) => content).join('\n');
    for (const part of ['a red fox in soft light', 'gain 0.300', 'alignment 3.10', 'red, fox', 'a blue cat'])
      expect(text).toContain(part);
    expect(JSON.stringify(body)).not.toContain(KEY);
  });

  it('may put its JSON behind thoughts and into a fence, and give fewer than were asked for', async () => {
    const said = '<think>{"variants": 3}</think>Here:\n```json\n{"variants": ["a red fox at dusk"]}\n```';
    const { url } = await startEndpoint(says(said));
    const { proposer, proposal } = ask(url);
    expect(await proposal).toEqual({ prompts: ['a red fox at dusk'], notes: ['tiny gave 1 of 2 versions'] });
    expect(proposer.cost()).toMatchObject({ isEstimated: true });
  });

  it('is told what was wrong with its answer, and asked again', async () => {
    const { url, asked } = await startEndpoint(
      says('Sure! Here are some ideas.'),
      says('{"variants": "one"}'),
      proposes('a red fox at noon'),
    );
    expect((await ask(url).proposal).prompts).toEqual(['a red fox at noon']);
    expect(asked[1]!.body.messages.at(-1)!.content).toContain('it holds no JSON object');
    expect(asked[2]!.body.messages.at(-1)!.content).toContain('variants');
  });

  it('may know neither schemas nor the usual name of a limit', async () => {
    const { url, asked } = await startEndpoint(
      answers(400, { error: { message: "Unknown parameter 'response_format'" } }),
      answers(400, { error: { message: "Use 'max_completion_tokens' instead of max_tokens" } }),
      proposes('a red fox at noon'),
    );
    await ask(url).proposal;
    const { response_format, max_tokens, max_completion_tokens } = asked[2]!.body;
    expect([response_format, max_tokens]).toEqual([undefined, undefined]);
    expect(max_completion_tokens).toBeGreaterThan(0);
  });

  it('that is busy is asked again when it says so', async () => {
    const { url, asked } = await startEndpoint(
      answers(429, { error: 'slow down' }, { 'retry-after': '0.05' }),
      answers(503, { error: 'loading' }),
      proposes('a red fox at noon'),
    );
    const { proposer, proposal } = ask(url);
    await proposal;
    expect([asked.length, proposer.cost()!.requests]).toEqual([3, 3]);
  });

  it.each([
    ['prose', says("I'd love to help!"), 'ENDPOINT_ANSWER', /3 times: it holds no JSON object.*I'd love/],
    ['what was cut off', says('{"variants": ["a', { finish_reason: 'length' }), 'ENDPOINT_ANSWER', /cut off/],
    ['a refusal', says(null, { refusal: 'I cannot do that' }), 'ENDPOINT_REFUSED', /I cannot do that/],
    ['a filter', says('', { finish_reason: 'content_filter' }), 'ENDPOINT_REFUSED', /tiny refuses/],
    ['a server that fails', answers(500, { error: 'no memory' }), 'ENDPOINT_FAILED', /500.*no memory/],
    ['a wrong key', answers(401, { error: `bad key ${KEY}` }), 'ENDPOINT_DENIED', /bad key \*\*\*/],
    [
      'an unknown model',
      answers(404, { error: 'model "tiny" not found' }),
      'ENDPOINT_UNFIT',
      /404.*not found/,
    ],
    ['another API', answers(200, { hello: 'world' }), 'ENDPOINT_UNFIT', /choices/],
    [
      'another address',
      answers(307, {}, { location: 'http://127.0.0.2:1/v1' }),
      'ENDPOINT_UNFIT',
      /127\.0\.0\.2:1, which is not followed/,
    ],
  ])('%s is a coded error that shows no key', async (_, answer, code, message) => {
    const { url } = await startEndpoint(answer);
    const error: Error = await ask(url, { apiKey: KEY }).proposal.then(
      () => null,
      (e) => e,
    );
    expect(error).toEqual(failure(code, message));
    expect(error.message).not.toContain(KEY);
  });

  it('that hangs is given up in time', async () => {
    const { url, asked } = await startEndpoint(hangs);
    await expect(ask(url, { timeoutMs: 30 }).proposal).rejects.toEqual(
      failure('ENDPOINT_UNREACHABLE', /no answer within 30 ms/),
    );
    expect(asked).toHaveLength(3);
  });

  it('is left alone once the signal aborts', async () => {
    const { url } = await startEndpoint(hangs);
    const stop = new AbortController();
    const { proposal } = ask(url, {}, stop.signal);
    stop.abort(new Error('enough'));
    await expect(proposal).rejects.toThrow('enough');
  });

  it('that is not there is named', async () => {
    await expect(ask('http://127.0.0.1:9').proposal).rejects.toEqual(
      failure(
        'ENDPOINT_UNREACHABLE',
        /http:\/\/127\.0\.0\.1:9\/v1\/chat\/completions: .*(ECONNREFUSED|bad port)/,
      ),
    );
  });

  it('is not asked for more tokens than there are', async () => {
    const { url, asked } = await startEndpoint(says('{"variants": ["a red fox"]}', { tokens: 900 }));
    const { proposer, proposal } = ask(url, { maxTokens: 1200 });
    await proposal;
    await expect(proposer.propose(history, 2, never)).rejects.toEqual(
      failure('ENDPOINT_SPENT', /1200 tokens/),
    );
    expect(asked).toHaveLength(1);
    expect(asked[0]!.body.max_tokens).toBeLessThan(1200);
  });
});
