/** A request as a template: which fields are its inputs, and what is sent. */
import { expect, it } from 'vitest';
import { readTemplate } from '../../../../src/bridge/hosts/a1111/workflow/template.ts';
import { runOf } from '../harness.ts';
import { fakeWithHost } from './harness.ts';

const read = (body: object) => readTemplate(JSON.stringify(body), 'request.json');
const namesOf = (inputs: readonly { name: string }[]) => inputs.map(({ name }) => name);

it('has a seed, and a variation seed where that makes images differ', () => {
  expect(namesOf(read({ prompt: 'a' }).seeds)).toEqual(['seed']);
  expect(namesOf(read({ prompt: 'a', subseed: 3, subseed_strength: 0.1 }).seeds)).toEqual([
    'seed',
    'subseed',
  ]);
});

it('has the steps that it names', () => {
  expect(namesOf(read({ prompt: 'a' }).steps)).toEqual([]);
  expect(namesOf(read({ prompt: 'a', steps: 20, hr_second_pass_steps: 0 }).steps)).toEqual(['steps']);
  expect(namesOf(read({ prompt: 'a', steps: 20, hr_second_pass_steps: 5 }).steps)).toEqual([
    'steps',
    'hr_second_pass_steps',
  ]);
});

it('has texts, and no pictures among them', () => {
  const body = { prompt: 'a', sampler_name: 'Euler', init_images: ['AAAA'], mask: 'AAAA' };
  expect(namesOf(read(body).texts)).toEqual(['prompt', 'sampler_name']);
});

it('reaches into objects and lists, and leaves the rest as it is', () => {
  const body = {
    prompt: 'a',
    override_settings: { CLIP_stop_at_last_layers: 1, eta_noise_seed_delta: 0 },
    alwayson_scripts: { Detail: { args: [true, 'x', 0.4] } },
  };
  const template = read(body);
  expect(template.input('alwayson_scripts.Detail.args.2').value).toBe(0.4);
  expect(
    template.with({ 'override_settings.CLIP_stop_at_last_layers': 2, 'alwayson_scripts.Detail.args.1': 'y' }),
  ).toEqual({
    ...body,
    route: 'txt2img',
    override_settings: { CLIP_stop_at_last_layers: 2, eta_noise_seed_delta: 0 },
    alwayson_scripts: { Detail: { args: [true, 'y', 0.4] } },
  });
  for (const name of ['override_settings', 'alwayson_scripts.Detail.args.9', '__proto__', 'constructor.name'])
    expect(() => template.input(name), name).toThrow(/has no input/);
});

it('sends seeds that no double holds as they are', async () => {
  const { webui, host } = await fakeWithHost();
  const text = '{"prompt": "a", "seed": 9007199254740993, "steps": 1, "width": 64, "height": 64}';
  await runOf(host, readTemplate(text, 'request.json').with({}));
  const sent = webui.seen.find(({ path }) => path.endsWith('txt2img'))!;
  expect(sent.text).toContain('"seed":9007199254740993');
});
