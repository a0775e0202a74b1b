/** Which images are judged, by folder, name, node and what they show. */
import { describe, expect, it } from 'vitest';
import type { RunImage } from '../../../src/host.ts';
import { type Choice, leaveReason, type Names } from '../../../src/loops/watch/choice.ts';
import { ALL } from './support.ts';

const image = (name: string, maker: Partial<RunImage['maker']> = {}, node = '9'): RunImage => {
  const parts = name.split('/');
  return {
    ...{ filename: parts.at(-1)!, subfolder: parts.slice(0, -1).join('/'), type: 'output' },
    ...{ node, replayed: false, prompt: null },
    maker: { type: 'SaveImage', title: null, map: null, ...maker },
  };
};
const names = (given: Partial<Names>): Names => ({ ...ALL, ...given });
const why = (choice: Partial<Choice>, of: RunImage) =>
  leaveReason({ only: ALL, not: ALL, judgeMaps: false, ...choice })(of, of);

describe('folders', () => {
  it.each([
    ['depth', 'depth/a.png', true],
    ['depth', 'depth/deep/a.png', true],
    ['depth', 'depths/a.png', false],
    ['depth', 'my/depth/a.png', false],
    ['*/depth', 'my/depth/a.png', true],
    ['DEPTH/', 'depth/a.png', true],
    ['depth\\deep', 'depth/deep/a.png', true],
    ['2026-1?', '2026-11/a.png', true],
    ['a+b (1)', 'a+b (1)/x.png', true],
    ['.', 'a.png', false],
    ['', 'a.png', true],
  ])('%j names %j: %s', (folder, name, isNamed) => {
    expect(why({ not: names({ folders: [folder] }) }, image(name)) !== null).toBe(isNamed);
    expect(why({ only: names({ folders: [folder] }) }, image(name)) === null).toBe(isNamed);
  });

  it('with either slash', () => {
    const of = { ...image('a.png'), subfolder: 'depth\\deep' };
    expect(why({ not: names({ folders: ['depth'] }) }, of)).toBe('its folder is left out');
  });
});

it.each([
  ['mask', 'mask_00001_.png', true],
  ['mask', 'k/mask_00001_.png', true],
  ['k/mask', 'k/mask_00001_.png', true],
  ['k/mask', 'mask_00001_.png', false],
  ['*_depth', 'cat_depth_00001_.png', true],
  ['depth', 'cat_depth_00001_.png', false],
])('prefix %j names %j: %s', (prefix, name, isNamed) => {
  expect(why({ not: names({ prefixes: [prefix] }) }, image(name)) !== null).toBe(isNamed);
});

it.each([
  ['12', true],
  ['1?', true],
  ['1', false],
  ['saveimage*', true],
  ['*Websocket', true],
  ['Save the masks', true],
  ['masks', false],
])('node %j names it by id, class or title: %s', (node, isNamed) => {
  const of = image('a.png', { type: 'SaveImageWebsocket', title: 'Save the masks' }, '12');
  expect(why({ not: names({ nodes: [node] }) }, of) !== null).toBe(isNamed);
});

it('each kind of choice must hold, and what is left out stays out', () => {
  const only = names({ folders: ['keep'], prefixes: ['a'] });
  expect(why({ only }, image('keep/a.png'))).toBeNull();
  expect(why({ only }, image('keep/b.png'))).toBe('its name is not among those to judge');
  expect(why({ only, not: names({ nodes: ['9'] }) }, image('keep/a.png'))).toBe('its node is left out');
});

it('maps are left alone, unless they are asked for', () => {
  const mask = image('a.png', { map: 'a mask' });
  expect(why({}, mask)).toBe('a mask');
  expect(why({ judgeMaps: true }, mask)).toBeNull();
  expect(why({ only: names({ nodes: ['9'] }) }, mask)).toBeNull();
});

it('a file that a folder alone told of has no node', () => {
  const file = image('a.png');
  const choose = (only: Names) =>
    leaveReason({ only, not: names({ nodes: ['9'] }), judgeMaps: false })(file, null);
  expect(choose(ALL)).toBeNull();
  expect(choose(names({ nodes: ['9'] }))).toBe('its node is not known');
});
