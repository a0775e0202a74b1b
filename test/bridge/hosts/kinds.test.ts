/** A kind of host that one row adds has its part of the config, its flags, its installer, and is watched. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { loadConfig, SETTINGS } from '../../../src/config.ts';
import { assay, type Outcome } from '../../support/cli.ts';
import { tempFolder } from '../../support/files.ts';
import { picture, png } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';

const TOY = new URL('../../support/toy-host.ts', import.meta.url).href;
const NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${TOY}`;
const withToy = (args: string[], env = {}): Promise<Outcome> => assay(args, { NODE_OPTIONS, ...env });

describe('the config', () => {
  let config: { loadConfig: typeof loadConfig; SETTINGS: typeof SETTINGS };
  beforeAll(async () => {
    await import('../../support/toy-host.ts');
    config = await import('../../../src/config.ts');
  });

  it('has a part for it, with what every host has and what it adds', () => {
    const { hosts } = config.loadConfig({ toy: { images: ['a.png'] } }, undefined, {});
    expect(hosts.toy).toMatchObject({ url: 'http://127.0.0.1:9', headers: {}, images: ['a.png'] });
    expect(hosts.comfyui).toMatchObject({ url: 'http://127.0.0.1:8188' });
  });

  it('has variables for it, and names what does not fit', () => {
    const load = (env: Record<string, string>) => config.loadConfig({}, undefined, env);
    expect(load({ ASSAY_TOY_URL: 'http://there', ASSAY_TOY_IMAGES: 'a,b' }).hosts.toy).toMatchObject({
      url: 'http://there',
      images: ['a', 'b'],
    });
    expect(() => load({ ASSAY_TOY_URL: 'there' })).toThrow(/^ASSAY_TOY_URL: toy\.url is "there"/);
    expect(() => config.loadConfig({ toy: { image: [] } }, undefined, {})).toThrow(/did you mean "images"/);
  });
});

describe('the command line', () => {
  it('has flags for it', async () => {
    const { stdout } = await withToy(['watch', '--help']);
    expect(stdout).toMatch(/--comfyui <url> .*--toy <url> +address of Toy/s);
    expect(stdout).toContain('--toy-header <line>');
  });

  it('watches it when a flag names it', async () => {
    const folder = tempFolder();
    const image = join(folder, 'seen.png');
    writeFileSync(image, await png(picture()));
    writeModel(join(folder, 'models'));
    const { code, stdout, stderr } = await withToy(
      [
        ...['watch', '--toy', 'http://127.0.0.1:7', '--toy-header', 'x-note: hello', '--once'],
        ...['--format', 'jsonl', '--data-dir', join(folder, 'data'), '--models', join(folder, 'models')],
        ...['--scorer', 'test-bright', '--threads', '1'],
      ],
      { ASSAY_TOY_IMAGES: image },
    );
    expect(stderr).toContain('watching Toy 1 at http://127.0.0.1:7');
    expect(stderr).toContain('assay: Toy: hello');
    expect(JSON.parse(stdout)).toMatchObject({ name: '0.png', quality: expect.any(Number) });
    expect(code).toBe(0);
  });

  it.each<[string, string[], RegExp]>([
    [
      'two hosts at once',
      ['--toy', 'http://a', '--comfyui-header', 'a: b'],
      /--comfyui-header and --toy are of two hosts/,
    ],
    ['a line that is no header', ['--toy-header', 'hello'], /--toy-header takes "Name: value"/],
  ])('refuses %s', async (_what, args, message) => {
    const { code, stderr } = await withToy(['watch', '--data-dir', tempFolder(), ...args]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('installs into it', async () => {
    expect(await withToy(['install', 'toy', '/there'])).toMatchObject({
      code: 0,
      stdout: 'nothing put into /there\n',
    });
    expect((await withToy(['install', 'toy', '/there', '--check'])).code).toBe(2);
  });
});
