/** `assay refine` as users run it, on the fake host: what it tries, claims and writes, and what it survives. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTemplate } from '../../src/bridge/hosts/comfyui/workflow/template.ts';
import { refineCommand } from '../../src/cli/commands/refine.ts';
import { planOf } from '../../src/cli/refine/plan.ts';
import { assay, outcomeOf, start } from '../support/cli.ts';
import { type FakeHost, startFake } from '../support/comfyui/fake.ts';
import { type Graph, sink } from '../support/comfyui/graphs.ts';
import { answers, proposes, says, startEndpoint } from '../support/endpoint.ts';
import { givenBy, prompted, seeded, studyBench, toldIn } from '../support/studying.ts';

async function host(): Promise<FakeHost> {
  const fake = await startFake();
  onTestFinished(() => fake.stop());
  return fake;
}

const bench = (graph: object = prompted('a red fox')) => studyBench(graph, 'refine');
/** As few images as it takes. */
const FEW = ['--by', 'quality', '--variants', '2', '--seeds', '4', '--confirm', '8', '--rounds', '1'];
const lines = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const textsIn = (fake: FakeHost): string[] =>
  [...fake.history.values()].map(({ prompt }) => String((prompt[2] as Graph)['4']!.inputs.text));

describe('assay refine', () => {
  it('goes on with the language model that it was begun with', async () => {
    const [fake, { args, again }] = [await host(), bench()];
    const model = await startEndpoint(proposes('a fox in red light', 'a dark red fox'));
    const begun = start(args(fake.url, ...FEW, '--endpoint', model.url, '--model', 'tiny'));
    await once(begun.stdout!, 'data');
    begun.kill('SIGKILL');
    await once(begun, 'close');
    const { code, stderr } = await assay(again(fake.url));
    expect([code, stderr]).toEqual([0, expect.stringContaining('proposals: tiny at ')]);
  });

  it('finds a better prompt with the help of a language model, and goes on when that fails', async () => {
    const [fake, { args, out }] = [await host(), bench()];
    const model = await startEndpoint(
      proposes('a fox in red light', 'a dark red fox', 'a blue cat'),
      says('No.'),
    );
    const { code, stdout, stderr } = await assay(
      args(fake.url, ...FEW, '--rounds', '2', '--endpoint', model.url, '--model', 'tiny'),
      { ASSAY_ENDPOINT_API_KEY: 'sk-very-secret-key' },
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining('prompt in 4.text · seeds: 5.seed')]);
    expect(stderr).toContain('[ENDPOINT_ANSWER]');
    const told = lines(stdout);
    expect(told.find(({ round }) => round === 1).refused).toEqual([
      { prompt: 'a blue cat', reason: 'it has lost red, fox' },
    ]);
    const { verdict, cost, images, report } = told.at(-1);
    expect(verdict).toMatchObject({ kind: 'better', prompt: 'a fox in red light' });
    expect(verdict.words).toBe('better by 0.31 (0.31 to 0.31)'); // 16 of 255 levels, on a scale of 5
    expect(cost).toMatchObject({ requests: 7, isEstimated: true });
    expect(toldIn(out)).toHaveLength(images);
    expect(new Set(textsIn(fake))).toEqual(new Set(['a red fox', 'a fox in red light', 'a dark red fox']));
    expect(model.asked[0]!.headers.authorization).toBe('Bearer sk-very-secret-key');
    const page = readFileSync(report, 'utf8');
    expect(page).toContain('better by 0.31');
    expect(page.match(/<img src="data:image\/webp/g)).toHaveLength(16);
    const kept = ['refinement.json', 'journal.jsonl', 'report.html'].map((name) =>
      readFileSync(join(out, name), 'utf8'),
    );
    expect([stdout, stderr, ...kept].join()).not.toContain('secret');
  });

  it('needs no model; stops at Ctrl-C, and goes on to the same end', async () => {
    const [fake, whole, cut] = [await host(), bench(), bench()];
    const undisturbed = await assay(whole.args(fake.url, ...FEW));
    const child = start(cut.args(fake.url, ...FEW));
    const ended = outcomeOf(child);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect([code, lines(stdout).at(-1).verdict]).toEqual([130, null]);
    const { verdict } = lines((await assay(cut.again(fake.url))).stdout).at(-1);
    expect(verdict).toEqual(lines(undisturbed.stdout).at(-1).verdict);
    const ids = toldIn(cut.out).map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(
      toldIn(whole.out)
        .map(([id]) => id)
        .toSorted(),
    );
  });
});

describe('the prompt of a workflow', () => {
  const sampler = {
    seed: 1,
    steps: 20,
    cfg: 7,
    sampler_name: 'euler',
    scheduler: 'normal',
    denoise: 1,
    model: ['4', 0],
    positive: ['6', 0],
    negative: ['7', 0],
    latent_image: ['5', 0],
  };
  const usual = {
    '3': { class_type: 'KSampler', inputs: sampler },
    '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sd15.safetensors' } },
    '5': { class_type: 'EmptyLatentImage', inputs: { width: 512, height: 512, batch_size: 1 } },
    '6': { class_type: 'CLIPTextEncode', inputs: { text: '(a red fox:1.2), snow', clip: ['4', 1] } },
    '7': { class_type: 'CLIPTextEncode', inputs: { text: 'text, watermark', clip: ['4', 1] } },
    '8': { class_type: 'VAEDecode', inputs: { samples: ['3', 0], vae: ['4', 2] } },
    '9': sink('output', ['8', 0], 'fox'),
  };
  const twice = { text_g: 'a red fox', text_l: 'a red fox', clip: ['4', 1] };
  const linked = { '10': { class_type: 'PrimitiveString', inputs: { value: 'a red fox' } } };

  it.each([
    ['of two encoders', usual, ['6.text'], '(a red fox:1.2), snow'],
    [
      'that an encoder has twice',
      { ...usual, '6': { class_type: 'CLIPTextEncodeSDXL', inputs: twice } },
      ['6.text_g', '6.text_l'],
      'a red fox',
    ],
    [
      'that comes by a link',
      {
        ...usual,
        ...linked,
        '6': { class_type: 'CLIPTextEncode', inputs: { text: ['10', 0], clip: ['4', 1] } },
      },
      ['10.value'],
      'a red fox',
    ],
  ])('%s is found where it stands', (_, graph, inputs, prompt) => {
    const text = JSON.stringify(graph);
    const template = readTemplate(text, 'fox.json');
    const plan = planOf(givenBy({}, template, 'fox.json', text));
    expect([plan.inputs, plan.spec.prompt, plan.seeds]).toEqual([inputs, prompt, ['3.seed']]);
  });
});

describe('assay refine refuses', () => {
  const twoTexts = {
    ...prompted('a fox'),
    '4': { class_type: 'CLIPTextEncode', inputs: { text: ['2', 0] } },
    '2': {
      class_type: 'StringConcatenate',
      inputs: { string_a: 'a fox', string_b: 'in snow', delimiter: ', ' },
    },
  };
  const noSeed = { ...prompted('a fox'), '5': { class_type: 'KSampler', inputs: { positive: ['4', 0] } } };

  it.each([
    ['no seed', noSeed, [], /NO_SEED/],
    ['a prompt that is not found', seeded(), [], /PROMPT_INPUT_UNKNOWN/],
    ['a prompt of several texts', twoTexts, [], /several texts.*PROMPT_INPUT_UNKNOWN/s],
    ['an input that is no text', prompted('a fox'), ['--input', '5.seed'], /no text.*USAGE/s],
    ['a prompt without words', prompted('a fox'), ['--prompt', '…'], /has no words.*PROMPT_UNKNOWN/s],
    [
      'a budget that is too small',
      prompted('a fox'),
      ['--images', '20'],
      /at least \d+, found 20.*STUDY_INVALID/s,
    ],
    ['several measures', prompted('a fox'), ['--by', 'reward,quality'], /one measure.*USAGE/s],
    ['a model without an address', prompted('a fox'), ['--model', 'tiny'], /--endpoint URL.*USAGE/s],
    [
      'an address without a model',
      prompted('a fox'),
      ['--endpoint', 'http://127.0.0.1:9'],
      /--model NAME.*USAGE/s,
    ],
    [
      'an address that is none',
      prompted('a fox'),
      ['--endpoint', 'ollama'],
      /endpoint\.url.*CONFIG_INVALID/s,
    ],
    [
      'a key in place of its file',
      prompted('a fox'),
      ['--endpoint', 'http://127.0.0.1:9', '--model', 'tiny', '--api-key-file', 'sk-hush-hush'],
      /^(?!.*hush).*endpoint\.apiKeyFile.*TOKEN_UNREADABLE/s,
    ],
    [
      'a password in the address',
      prompted('a fox'),
      ['--endpoint', 'http://me:hush@127.0.0.1:9', '--model', 'tiny'],
      /^(?!.*hush).*holds a name or password.*USAGE/s,
    ],
  ])('%s', async (_, graph, more, message) => {
    const [, ...args] = bench(graph).args('http://127.0.0.1:9', ...more);
    const refused = await refineCommand(() => {})
      .parseAsync(args, { from: 'user' })
      .catch((error) => `${error.message} ${error.code}`);
    expect(refused).toMatch(message);
  });

  it('an endpoint without the model, or without a door, before an image is made', async () => {
    const fake = await host();
    const model = await startEndpoint(answers(404, { error: 'model "tiny" not found' }));
    model.models = ['large'];
    const closed = await startEndpoint(answers(200, {}));
    closed.models = null;
    for (const [url, words] of [
      [model.url, /ENDPOINT_UNFIT.*not found/s],
      [closed.url, /ENDPOINT_UNFIT/],
      ['http://127.0.0.1:9/v1', /ENDPOINT_UNREACHABLE/],
    ] as const) {
      const { args, out } = bench();
      const { code, stderr } = await assay(args(fake.url, ...FEW, '--endpoint', url, '--model', 'tiny'));
      expect([code === 0, stderr, existsSync(out)]).toEqual([false, expect.stringMatching(words), false]);
    }
    expect(fake.history.size).toBe(0);
  });

  it('a model that is not there, and goes on with another one', async () => {
    const fake = await host();
    const model = await startEndpoint(answers(404, { error: 'model "tiny" not found' }));
    const lost = bench();
    const unknown = await assay(lost.args(fake.url, ...FEW, '--endpoint', model.url, '--model', 'tiny'));
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringMatching(/ENDPOINT_UNFIT.*tiny.*not found/s),
    ]);
    const again = await startEndpoint(proposes('a red fox, light'));
    const { code, stdout } = await assay([
      ...lost.again(fake.url),
      '--endpoint',
      again.url,
      '--model',
      'tiny',
    ]);
    expect([code, lines(stdout).at(-1).verdict.kind]).toEqual([0, 'better']);
  });
});
