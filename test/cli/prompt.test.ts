/** `assay prompt`, as its users run it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { comfyPng } from '../metadata/containers.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';

const encode = (text: string) => ({ class_type: 'CLIPTextEncode', inputs: { text, clip: ['4', 1] } });
const sampler = (positive: string) => ({
  class_type: 'KSampler',
  inputs: { positive: [positive, 0], negative: ['7', 0] },
});
const saver = (images: string) => ({
  class_type: 'SaveImage',
  inputs: { images: [images, 0], filename_prefix: 'x' },
});
const GRAPH = { '3': sampler('6'), '6': encode('a (red:1.2) fox'), '7': encode('blurry'), '9': saver('3') };
const TWO = { ...GRAPH, '13': sampler('16'), '16': encode('a white owl'), '19': saver('13') };

const written = (name: string, value: unknown): string => {
  const path = join(tempFolder(), name);
  writeFileSync(
    path,
    typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value),
  );
  return path;
};
const json = async (...args: string[]) => JSON.parse((await assay(['prompt', ...args, '-f', 'json'])).stdout);

const FOX = {
  ...{ prompt: 'a red fox', negative: 'blurry', original: 'a (red:1.2) fox', certain: true, reason: null },
  from: 'workflow node 6 (CLIPTextEncode)',
};

it('tells the prompt of a workflow, in every wrapping', async () => {
  expect(await json(written('api.json', GRAPH))).toEqual(FOX);
  expect(await json(written('body.json', { prompt: GRAPH, client_id: 'x' }))).toEqual(FOX);
  expect(
    await json(written('history.json', { abc: { prompt: [1, 'abc', GRAPH, {}, ['9']], outputs: {} } })),
  ).toEqual(FOX);
  const plain = await assay(['prompt', written('api.json', GRAPH)]);
  expect(plain).toMatchObject({ code: 0, stderr: '' });
  expect(plain.stdout.split('\n')).toEqual([
    'prompt    a red fox',
    'negative  blurry',
    'from      workflow node 6 (CLIPTextEncode)',
    'as given  a (red:1.2) fox',
    'certain   yes',
    '',
  ]);
});

it('lists the savers where they differ, and takes one by its id', async () => {
  const path = written('two.json', TWO);
  const all = await json(path);
  expect(all).toMatchObject({
    prompt: null,
    reason: expect.stringContaining('different prompts (nodes 9, 19)'),
  });
  expect(all.nodes.map((n: { node: string; prompt: string }) => [n.node, n.prompt])).toEqual([
    ['9', 'a red fox'],
    ['19', 'a white owl'],
  ]);
  expect(await json(path, '--node', '19')).toMatchObject({
    prompt: 'a white owl',
    from: 'workflow node 16 (CLIPTextEncode)',
  });
  expect((await assay(['prompt', path])).stdout).toContain('19    SaveImage  a white owl');
});

it('reads images, and the workflows in them', async () => {
  const path = written('image.png', await comfyPng());
  expect(await json(path)).toMatchObject({ prompt: null, certain: false });
  const wrong = await assay(['prompt', path, '--node', '77']);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('[NODE_UNKNOWN]') });
});

it.each([
  ['nothing.png', undefined, 'FILE_NOT_FOUND'],
  ['text.txt', 'hello', 'PROMPT_SOURCE_UNKNOWN'],
  ['other.json', { a: 1 }, 'WORKFLOW_INVALID'],
  ['.', undefined, 'FILE_UNREADABLE'],
])('refuses %s', async (name, value, code) => {
  const path = value === undefined ? join(tempFolder(), name) : written(name, value);
  const { code: exit, stdout, stderr } = await assay(['prompt', path]);
  expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
  expect(stderr).toContain(`[${code}]`);
});

it('names the nearest node', async () => {
  const path = written('api.json', { ...GRAPH, saver: saver('3') });
  const { stderr } = await assay(['prompt', path, '--node', 'savr']);
  expect(stderr).toContain('has no node "savr", did you mean "saver"?; those that save images are 9, saver');
});
