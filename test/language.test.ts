/** Scorers that judge by what a language model elsewhere holds of the image, in a runtime. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createStates, type StatesSettings } from '../src/bridge/providers/states.ts';
import { loadConfig } from '../src/config.ts';
import { type Manifest, readManifest } from '../src/reward/model/manifest.ts';
import { openRuntime } from '../src/runtime.ts';
import type { ScoreItem } from '../src/types/request.ts';
import { assay } from './support/cli.ts';
import {
  type Answer,
  type Asked,
  answers,
  hangs,
  holds,
  imageOf,
  npy,
  pools,
  says,
  startEndpoint,
  wordsOf,
} from './support/endpoint.ts';
import { tempFolder } from './support/files.ts';
import { flat, picture, type Raw } from './support/images.ts';
import { type TestModel, writeModel } from './support/models.ts';
import type { Graph } from './support/onnx.ts';

const never = new AbortController().signal;

/** Quality: the mean of what the model holds at all positions; alignment: that of one row of another conversation. */
const meansGraph: Graph = {
  inputs: { states: ['float32', ['n', 'p', 4]], gist: ['float32', ['n', 4]] },
  outputs: { quality: ['float32', ['n', 1]], alignment: ['float32', ['n', 1]] },
  constants: { column: { dims: [2], ints: [-1, 1] } },
  nodes: [
    { op: 'ReduceMean', inputs: ['states'], outputs: ['mean'], attributes: { axes: [1, 2], keepdims: 0 } },
    { op: 'Reshape', inputs: ['mean', 'column'], outputs: ['quality'] },
    { op: 'ReduceMean', inputs: ['gist'], outputs: ['alignment'], attributes: { axes: [1], keepdims: 1 } },
  ],
};

const LANGUAGE: Manifest['language'] = {
  model: 'tiny/vlm',
  width: 4,
  inputs: [
    {
      ...{ input: 'states', pool: 'none', maxPositions: 3 },
      turns: [
        { role: 'user', text: "What is there? It should be '{prompt}'." },
        { role: 'assistant' },
        { role: 'user', text: 'Now rate it.' },
      ],
    },
    { input: 'gist', pool: 'mean', turns: [{ role: 'user', text: 'Is it coherent?' }] },
  ],
};

const model = (edit: (m: Manifest) => void = () => {}): TestModel => ({
  id: 'test-told',
  graph: meansGraph,
  edit(m) {
    const mean = { kind: 'mean' as const, range: [0, 5] as [number, number] };
    Object.assign(m, {
      language: structuredClone(LANGUAGE),
      image: { ...m.image, input: null },
      maxBatch: 1,
      aspects: {
        quality: { output: 'quality', needsPrompt: false, ...mean },
        alignment: { output: 'alignment', needsPrompt: true, ...mean },
        authenticity: null,
      },
    });
    edit(m);
  },
  files: {
    'calibration.json': JSON.stringify({
      version: 1,
      fittedOn: 'nothing: a test model',
      aspects: { quality: CALIBRATION, alignment: CALIBRATION },
    }),
  },
});
const CALIBRATION = {
  map: { x: [0, 5], y: [0, 5] },
  interval: { coverage: 0.9, scale: 2 },
  quantiles: Array.from({ length: 101 }, (_, i) => i / 20),
};

const isChat = ({ path }: Asked): boolean => path.endsWith('/chat/completions');
const isPooled = ({ body }: Asked): boolean => body.pool === 'mean';

/** A model that describes what it sees, and holds 2, 3 and 4 at three positions; 1.5 of the whole of the other question. */
const tells: Answer = (response, asked) => {
  const rows = [2, 3, 4].map((value) => [value, value, value, value]);
  if (isChat(asked)) return says('A cat on a mat.', { tokens: 30 })(response, asked);
  return (isPooled(asked) ? holds([[0, 1, 2, 3]], 9) : holds(rows, 5))(response, asked);
};

const item = (
  id: string,
  prompt: string | null = 'a cat',
  { data, width, height }: Raw = picture(64, 48),
): ScoreItem => ({
  ...{ id, source: null, prompt },
  fetch: () => ({ kind: 'raw', format: 'rgb8', bytes: data, width, height }),
});

function open(
  settings: object | null,
  { written = model(), more = {} }: { written?: TestModel; more?: object } = {},
) {
  const modelDirs = [tempFolder()];
  writeModel(modelDirs[0]!, written);
  const languageModels = settings === null ? {} : { 'test-told': settings };
  const all = { dataDir: tempFolder(), scorer: 'test-told', logLevel: 'silent', modelDirs, languageModels };
  const runtime = openRuntime({ config: loadConfig({ ...all, ...more }, undefined, {}) });
  onTestFinished(() => runtime.close());
  const score = (...items: ScoreItem[]) => runtime.score({ items, client: 'test', signal: never });
  return { runtime, score };
}

describe('a scorer that judges by a language model elsewhere', () => {
  it('is fed with the hidden states of its conversations, the first answer of the model among them', async () => {
    const endpoint = await startEndpoint(tells);
    const { score } = open({ url: endpoint.url });
    const [result] = await score(item('a'));
    expect(result!.error).toBeNull();
    expect(result!.aspects!.quality!.score).toBeCloseTo(3, 5);
    expect(result!.aspects!.alignment!.score).toBeCloseTo(1.5, 5);
    expect([result!.truncated, result!.notes.join()]).toEqual([
      true,
      expect.stringContaining("3 of the conversation's 5"),
    ]);
    expect(result!.timings!.tokens).toBe(30 + 5 + 9);
    expect(endpoint.asked).toHaveLength(3);
    const chat = endpoint.asked.find(isChat)!;
    expect([chat.body.logprobs, chat.body.max_tokens]).toEqual([undefined, 512]);
    expect(wordsOf(chat)).toContain("It should be 'a cat'.");
    expect(imageOf(chat)!.subarray(1, 4).toString()).toBe('PNG');
    const [whole, gist] = [false, true].map(
      (pooled) => endpoint.asked.find((asked) => !isChat(asked) && isPooled(asked) === pooled)!,
    );
    expect(whole!.path).toBe('/v1/states');
    expect(whole!.body).toMatchObject({ pool: 'none', max_positions: 3 });
    expect(whole!.body.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(whole!.body.messages[1]!.content).toBe('A cat on a mat.');
    expect([whole, gist].map((asked) => imageOf(asked!)?.length)).toEqual([
      imageOf(chat)!.length,
      imageOf(chat)!.length,
    ]);

    // What does not depend on the prompt is not asked again for another one.
    const before = endpoint.asked.length;
    const [other] = await score(item('b', 'a dog'));
    expect(other!.aspects!.quality!.score).toBeCloseTo(3, 5);
    expect(endpoint.asked.slice(before).map(isPooled)).toEqual([false, false]);
    expect(other!.timings!.tokens).toBe(30 + 5);
  });

  it('shows the image where the conversation says so', async () => {
    const endpoint = await startEndpoint(tells);
    const asksFirst = (m: Manifest) =>
      Object.assign(m.language!.inputs[1]!, {
        turns: [{ role: 'user', text: 'Is {prompt} here?\n{image}' }],
      });
    await open({ url: endpoint.url }, { written: model(asksFirst) }).score(item('a', 'a "$&" cat'));
    const [message] = endpoint.asked.find((asked) => !isChat(asked) && isPooled(asked))!.body.messages;
    const parts = message!.content as { type: string; text?: string }[];
    expect(parts.map(({ type, text }) => text ?? type)).toEqual(['Is a "$&" cat here?\n', 'image_url']);
  });

  it('sends nothing that a guard stops, and asks nobody to find out whether its graphs run', async () => {
    const endpoint = await startEndpoint(tells);
    const { score } = open({ url: endpoint.url });
    const strip = picture(400, 50);
    const [blank, long] = await score(item('a', 'a cat', flat([9, 9, 9])), item('b', 'a cat', strip));
    expect([blank!.decision, blank!.guards[0]!.guard, blank!.reward]).toEqual(['reject', 'blank', null]);
    expect([long!.guards[0]!.guard, long!.aspects!.quality]).toEqual(['out-of-domain', null]);
    expect(long!.notes.join()).toContain('test-told was not asked');
    expect(endpoint.asked).toHaveLength(0);
  });

  it.each(['test-told', 'constructor'])(
    'without a model says which is missing, where to name it and how to start it: %s',
    async (id) => {
      const { runtime, score } = open(null, { written: { ...model(), id }, more: { scorer: id } });
      await expect(score(item('a'))).rejects.toMatchObject({
        code: 'LANGUAGE_MODEL_MISSING',
        message: expect.stringMatching(new RegExp(`${id}.*tiny/vlm.*languageModels\\.${id}`)),
        fix: expect.stringContaining('python -m assay_training serve'),
      });
      expect(runtime.scorers().find((one) => one.id === id)!.problem).toContain('tiny/vlm');
    },
  );

  const beside =
    (answer: Answer): Answer =>
    (response, asked) =>
      (isChat(asked) || isPooled(asked) ? tells : answer)(response, asked);
  const talk =
    (answer: Answer): Answer =>
    (response, asked) =>
      (isChat(asked) ? answer : tells)(response, asked);
  const bytes =
    (body: Buffer): Answer =>
    (response) =>
      void response.end(body);
  const same = (row: number[], count: number) => Array.from({ length: count }, () => row);
  const ones = (count: number) => Buffer.from(Float32Array.from({ length: count }, () => 1).buffer);

  it.each<[string, Answer, string, RegExp]>([
    [
      'another width',
      beside(
        holds([
          [1, 2, 3],
          [1, 2, 3],
        ]),
      ),
      'LANGUAGE_STATES',
      /3 numbers.*tiny\/vlm, 4/,
    ],
    [
      'numbers that are none',
      beside(
        holds([
          [1, Number.NaN, 2, 3],
          [1, 2, 3, 4],
        ]),
      ),
      'LANGUAGE_STATES',
      /finite/,
    ],
    ['no array', beside(bytes(Buffer.from('<p>hello</p>'))), 'LANGUAGE_STATES', /no NPY/],
    ['a pickle in an array', beside(bytes(npy([2], ones(2), '|O'))), 'LANGUAGE_STATES', /type \|O/],
    ['half of an array', beside(bytes(npy([2, 4], ones(5)))), 'LANGUAGE_STATES', /20 bytes for \[2, 4\]/],
    ['three dimensions', beside(bytes(npy([2, 2, 2], ones(8)))), 'LANGUAGE_STATES', /3 dimensions/],
    ['one vector', beside(holds([[1, 2, 3, 4]], 500)), 'LANGUAGE_STATES', /1 dimension for pool none/],
    ['too few rows', beside(holds(same([1, 2, 3, 4], 2), 500)), 'LANGUAGE_STATES', /2 rows of 500 positions/],
    ['too many rows', beside(holds(same([1, 2, 3, 4], 3), 2)), 'LANGUAGE_STATES', /3 rows of 2 positions/],
    ['no number of them', beside(holds(same([1, 2, 3, 4], 3), 1e300)), 'LANGUAGE_STATES', /of 1e\+300/],
    ['normalised rows', beside(holds(same([0.5, 0.5, 0.5, 0.5], 3))), 'LANGUAGE_STATES', /normalised/],
    [
      'an endless header',
      beside(bytes(npy([3, 4], ones(12), 'A'.repeat(5000)))),
      'LANGUAGE_STATES',
      /its header has 5\d\d\d bytes/,
    ],
    [
      'an answer of brackets, which is no page', // and takes half a minute to be told so by a careless look for tags
      beside((response) => void response.writeHead(404).end('<'.repeat(300_000))),
      'ENDPOINT_UNFIT',
      /status 404 \(<{160}…\)/,
    ],
    [
      'more than an answer holds',
      talk((response) => void response.end(Buffer.alloc(5 * 2 ** 20, 'x'))),
      'ENDPOINT_UNFIT',
      /an answer of more than 4194304 bytes/,
    ],
    [
      'a conversation beyond its context',
      beside(answers(422, { error: { message: 'the conversation has 9000 positions, more than the 8192' } })),
      'LANGUAGE_TOO_LONG',
      /9000 positions/,
    ],
    ['silence', talk(says('  ')), 'LANGUAGE_ANSWER', /^the language model was.*said nothing/],
    ['a refusal', talk(says(null, { refusal: 'I do not look at people.' })), 'JUDGE_REFUSED', /at people/],
    [
      'a failure',
      beside(answers(500, { error: { message: 'out of memory' } })),
      'ENDPOINT_FAILED',
      /out of memory/,
    ],
    ['a wrong key', beside(answers(401, { error: { message: 'no key' } })), 'ENDPOINT_DENIED', /no key/],
    [
      'another API',
      beside(answers(404, { error: { message: 'no such path' } })),
      'ENDPOINT_UNFIT',
      /server of hidden states.*no such path/,
    ],
  ])('makes %s an error of its item, never a score', async (_, answer, code, message) => {
    const { score } = open({ url: (await startEndpoint(answer)).url });
    const [result] = await score(item('a'));
    expect([result!.error?.code, result!.aspects, result!.reward]).toEqual([code, null, null]);
    expect(result!.error!.message).toMatch(message);
  });

  it('asks again where an answer was of no use', async () => {
    let [talks, looks] = [0, 0];
    const wide = holds(same([1, 2, 3, 4, 5], 3));
    const endpoint = await startEndpoint((response, asked) => {
      if (isChat(asked) && talks++ === 0) return says(' ')(response, asked);
      return (!isChat(asked) && !isPooled(asked) && looks++ === 0 ? wide : tells)(response, asked);
    });
    const { score } = open({ url: endpoint.url });
    const codes: (string | undefined)[] = [];
    for (const id of ['a', 'b', 'c']) codes.push((await score(item(id)))[0]!.error?.code);
    expect(codes).toEqual(['LANGUAGE_ANSWER', 'LANGUAGE_STATES', undefined]);
    expect(endpoint.asked.filter(isChat)).toHaveLength(2);
  });

  it('notes that the model was cut off', async () => {
    const endpoint = await startEndpoint(talk(says('A cat on', { finish_reason: 'length' })));
    const [result] = await open({ url: endpoint.url }).score(item('a'));
    expect([result!.error, result!.notes.join()]).toEqual([
      null,
      expect.stringContaining('the language model was cut off at the most tokens (maxTokens)'),
    ]);
  });

  it('repeats its key nowhere, wherever the other side does', async () => {
    const apiKey = 'sk-of-nobody-else';
    const repeats: Answer[] = [
      talk(says(null, { refusal: `I do not know ${apiKey}.` })),
      beside(bytes(npy([3, 4], ones(12), apiKey))),
      // Where a message is cut, no part of it stays.
      beside((response) => void response.writeHead(404).end(`${'x'.repeat(150)}${apiKey}`)),
      beside(answers(404, { error: { message: `who is ${apiKey}?` } })),
      talk(says(`${apiKey}, a cat.`)),
    ];
    for (const answer of repeats) {
      const endpoint = await startEndpoint(answer);
      const [result] = await open({ url: endpoint.url, apiKey }).score(item('a'));
      expect(JSON.stringify([result, endpoint.asked.map(({ body }) => body)])).not.toContain('sk-of');
    }
  });

  it('waits no longer than it is told to, and is not ready then', async () => {
    const { runtime, score } = open({ url: (await startEndpoint(beside(hangs))).url, timeoutMs: 30 });
    const [result] = await score(item('a'));
    expect(result!.error).toMatchObject({
      code: 'ENDPOINT_UNREACHABLE',
      message: expect.stringContaining('30 ms'),
    });
    expect(runtime.notReady()).toContain('no answer from the language model');
  });

  it('has its first answer from another endpoint where one is named', async () => {
    const silent = await startEndpoint(beside(tells));
    const talker = await startEndpoint(tells);
    const chat = { url: `${talker.url}/v1`, model: 'tiny', apiKey: 'sk-of-chat' };
    const { score } = open({ url: silent.url, apiKey: 'sk-of-states', chat });
    const [result] = await score(item('a'));
    expect(result!.error).toBeNull();
    expect(talker.asked.map(({ path, headers, body }) => [path, headers.authorization, body.model])).toEqual([
      ['/v1/chat/completions', 'Bearer sk-of-chat', 'tiny'],
    ]);
    expect(new Set(silent.asked.map(({ headers }) => headers.authorization))).toEqual(
      new Set(['Bearer sk-of-states']),
    );
    expect(silent.asked.some(isChat)).toBe(false);
  });

  it.each<[string, (m: Manifest) => void, RegExp]>([
    ['several images a batch', (m) => Object.assign(m, { maxBatch: 4 }), /"states".*maxBatch must be 1/],
    ['nothing to look at', (m) => Object.assign(m, { language: undefined }), /image\.input is null/],
    [
      'nobody who asks',
      (m) => Object.assign(m.language!.inputs[1]!, { turns: [{ role: 'system', text: 'Look.' }] }),
      /"gist": no turn is of the user/,
    ],
    [
      'an answer to nothing',
      (m) => m.language!.inputs[1]!.turns.unshift({ role: 'assistant' }),
      /"gist".*after one of the user/,
    ],
    [
      'two things in one input',
      (m) => Object.assign(m.language!.inputs[1]!, { input: 'states' }),
      /named twice/,
    ],
    [
      'a prompt that nobody is told',
      (m) => Object.assign(m.language!.inputs[0]!.turns[0]!, { text: 'What is there?' }),
      /alignment needs the prompt/,
    ],
  ])('with %s in its manifest is refused', (_, edit, reason) => {
    expect(() => readManifest(writeModel(tempFolder(), model(edit)))).toThrow(reason);
  });
});

describe('a source of hidden states', () => {
  const image = { type: 'image/png' as const, bytes: new Uint8Array([1]), key: 'one' };
  const turns = [{ role: 'user' as const, text: 'Look.' }];
  const ask = (settings: Pick<StatesSettings, 'kind' | 'url'>, more: object = {}) =>
    createStates({ timeoutMs: 5000, concurrency: 2, cacheBytes: 1000, retryMs: 1, ...settings, ...more });
  const rows = [
    [1, 2],
    [3, 4],
    [5, 12],
  ];
  const plain = (kind: StatesSettings['kind'], url: string, pool: 'mean' | 'none', maxPositions?: number) =>
    ask({ kind, url }).states({ image, turns, pool, maxPositions }, never);

  it('of vLLM is asked for all tokens, and pools and cuts them here', async () => {
    const endpoint = await startEndpoint(pools(rows));
    const all = await plain('vllm', `${endpoint.url}/v1`, 'none', 2);
    expect([[...all.data], all.rows, all.width, all.positions, all.cost]).toEqual([[1, 2, 3, 4], 2, 2, 3, 3]);
    const { path, body } = endpoint.asked[0]!;
    expect(path).toBe('/pooling');
    expect(body).toMatchObject({ task: 'token_embed', encoding_format: 'base64', use_activation: false });
    const one = await plain('vllm', endpoint.url, 'mean');
    expect([[...one.data], one.rows, one.positions]).toEqual([[3, 6], 1, 3]);
  });

  it.each<[string, Answer, string, RegExp]>([
    [
      'normalised vectors',
      pools([
        [0.6, 0.8],
        [1, 0],
      ]),
      'LANGUAGE_STATES',
      /normalised/,
    ],
    ['one pooled vector', pools([[1, 2, 3]], 2), 'LANGUAGE_STATES', /3 numbers for 2 positions/],
    [
      'a list of other positions',
      answers(200, { data: [{ data: rows }], usage: { prompt_tokens: 300 } }),
      'LANGUAGE_STATES',
      /3 rows for 300 positions/,
    ],
    ['no number of positions', pools(rows, null), 'LANGUAGE_STATES', /prompt_tokens/],
    ['JSON of another shape', answers(200, { data: [] }), 'ENDPOINT_UNFIT', /pooling endpoint of vLLM/],
    [
      'a context that is full',
      answers(400, { error: { message: "This model's maximum context length is 512 tokens." } }),
      'LANGUAGE_TOO_LONG',
      /512 tokens/,
    ],
  ])('takes no states from %s', async (_, answer, code, message) => {
    const endpoint = await startEndpoint(answer);
    const asked = plain('vllm', endpoint.url, 'none');
    await expect(asked).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('leaves the task out where vLLM is of a version that does not know it, and reads lists of numbers', async () => {
    const endpoint = await startEndpoint(
      answers(400, { error: { message: 'Unsupported task: token_embed' } }),
      answers(200, { data: [{ data: rows }] }),
    );
    const { data, rows: count } = await plain('vllm', endpoint.url, 'none');
    expect([[...data], count]).toEqual([rows.flat(), 3]);
    expect(endpoint.asked.map(({ body }) => body.task)).toEqual(['token_embed', undefined]);
  });

  it('reads float16 to the bit', async () => {
    const halves = Buffer.from(Uint16Array.from([0x3c00, 0xc500, 0x0001, 0x7bff, 0x8000, 0x3555]).buffer);
    const endpoint = await startEndpoint((response) => void response.end(npy([2, 3], halves, '<f2')));
    const { data } = await plain('states', endpoint.url, 'none');
    expect([...data]).toEqual([1, -5, 2 ** -24, 65_504, -0, 1365 / 4096]);
  });

  it('remembers by image, conversation and pooling, and no more than there is room for', async () => {
    const endpoint = await startEndpoint((response, asked) =>
      (isPooled(asked) ? holds([[1, 2]], 7) : holds([[1, 2]], 1, [1, 2]))(response, asked),
    );
    const source = ask({ kind: 'states', url: endpoint.url }, { cacheBytes: 20 });
    const put = (key: string, pool: 'mean' | 'none' = 'mean') =>
      source.states({ image: { ...image, key }, turns, pool }, never);
    const first = await put('one');
    const again = await put('one');
    expect([first.cost, again.cost, again.inferMs, [...again.data]]).toEqual([7, 0, 0, [1, 2]]);
    await put('two');
    await put('three'); // two of 8 bytes fit into 20
    await put('one');
    expect(endpoint.asked).toHaveLength(4);
    await put('one', 'none');
    expect(endpoint.asked).toHaveLength(5);
  });

  it('asks so many questions at once, and waits out what has no place', async () => {
    let [inside, most] = [0, 0];
    const slowly: Answer = (response, asked) => {
      most = Math.max(most, ++inside);
      setTimeout(() => {
        inside--;
        holds([[1, 2]])(response, asked);
      }, 10);
    };
    const busy = answers(429, { error: { message: 'slow down' } }, { 'retry-after': '0' });
    const endpoint = await startEndpoint(busy, busy, slowly);
    const source = ask({ kind: 'states', url: endpoint.url });
    const all = await Promise.all(
      ['a', 'b', 'c', 'd'].map((key) =>
        source.states({ image: { ...image, key }, turns, pool: 'mean' }, never),
      ),
    );
    expect([all.length, most, endpoint.asked.length]).toEqual([4, 2, 6]);
  });
});

describe('assay doctor', () => {
  it('says which language models are named, where images go, and which are missing', async () => {
    const endpoint = await startEndpoint(tells);
    const folder = tempFolder();
    writeModel(folder, model());
    writeModel(folder, { ...model(), id: 'test-untold' });
    const doctor = async (languageModels: object) => {
      const config = join(folder, 'assay.json');
      writeFileSync(
        config,
        JSON.stringify({ dataDir: join(folder, 'data'), modelDirs: [folder], port: 0, languageModels }),
      );
      return (await assay(['doctor', '--config', config])).stdout;
    };
    const told = await doctor({
      'test-told': { url: endpoint.url, model: 'large' },
      'test-bright': { url: 'http://models.example' },
    });
    expect(told).toContain('language model of test-told: large at 127.0.0.1');
    expect(told).toContain('has no model large');
    expect(told).toContain('languageModels.test-bright: no scorer of that id');
    expect(told).toContain('test-untold needs tiny/vlm elsewhere');
  });
});
