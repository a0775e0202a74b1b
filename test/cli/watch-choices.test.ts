/** `assay watch` at a host behind a token, on some of its images, beside another watch, and through links. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allPages, openedStore, until } from '../store/helpers.ts';
import { assay } from '../support/cli.ts';
import { startFake } from '../support/comfyui/fake.ts';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';
import { startWatch } from '../support/watching.ts';

type Options = Parameters<typeof startFake>[0];

async function site(options: Options = {}) {
  const folder = tempFolder();
  const comfy = await startFake(options);
  onTestFinished(() => comfy.stop());
  const [models, dataDir] = [join(folder, 'models'), join(folder, 'data')];
  writeModel(models);
  const own = ['--data-dir', dataDir, '--models', models, '--scorer', 'test-bright', '--threads', '1'];
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const rejectAll = write(
    'policy.json',
    JSON.stringify({ aspects: { quality: { minScore: 5 } }, actions: { reject: 'move' } }),
  );
  const history = () => allPages(openedStore(dataDir).store).map((e) => e.result.source!);
  return { folder, comfy, own, write, rejectAll, dataDir, history };
}

const image = await png(picture(64, 64));
const SECRET = 'x7-very-secret';

describe('a host behind a token', () => {
  const bearer: NonNullable<Options>['allows'] = ({ headers }) =>
    headers.authorization === `Bearer ${SECRET}`;
  const queried: NonNullable<Options>['allows'] = ({ url }) =>
    new URL(url!, 'http://fake').searchParams.get('token') === SECRET;
  const basic: NonNullable<Options>['allows'] = ({ headers }) =>
    headers.authorization === `Basic ${Buffer.from(`me:${SECRET}`).toString('base64')}`;

  it.each([
    ['in a header file', bearer, (url: string) => [url, '--comfyui-header', '@file']],
    ['in the config', bearer, (url: string) => [url, '--config', '@config']],
    ['in the query', queried, (url: string) => [`${url}/?token=${SECRET}`]],
    ['in the login', basic, (url: string) => [url.replace('//', `//me:${SECRET}@`)]],
  ])('%s is asked with it, over HTTP and the socket, and it is never shown', async (_, allows, flags) => {
    const { comfy, own, write, history } = await site({ allows, prefix: '/comfy' });
    const [header, config] = [
      write('headers', `Authorization: Bearer ${SECRET}\n`),
      write('config.json', JSON.stringify({ comfyui: { headers: { Authorization: `Bearer ${SECRET}` } } })),
    ];
    const given = flags(comfy.url).map(
      (flag) => ({ '@file': `@${header}`, '@config': config })[flag] ?? flag,
    );
    comfy.addRun({ images: [image] });
    const watching = startWatch(['--comfyui', ...given, ...own, '--log-level', 'debug']);
    await until('the first', () => watching.lines.length === 1).catch((error) => {
      throw new Error(`${error.message}\n${watching.stderr()}`);
    });
    await until('a socket', () => comfy.hub.open === 1);
    comfy.cut();
    await until('another', () => comfy.hub.connections > 1);
    await watching.stop();
    expect(watching.stderr()).not.toContain(SECRET);
    expect(history()).toEqual(['ComfyUI_00001_.png']);
  });

  it('that was not given says what it lacks', async () => {
    const { comfy, own } = await site({ allows: bearer });
    const { code, stderr } = await assay(['watch', '--once', '--comfyui', comfy.url, ...own]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/HOST_DENIED/)]);
    expect(stderr).toContain('--comfyui-header');
  });

  it.each(['no colon', 'A: b\u0007'])('%j is refused without being shown', async (line) => {
    const { comfy, own } = await site();
    const args = ['watch', '--once', '--comfyui', comfy.url, ...own, '--comfyui-header', line];
    expect(await assay(args)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--comfyui-header takes'),
    });
  });

  it('does not follow it elsewhere', async () => {
    const elsewhere = await site();
    const { comfy, own } = await site({ fault: () => ({ status: 302, to: `${elsewhere.comfy.url}/` }) });
    const args = ['watch', '--once', ...own, '--comfyui', `${comfy.url}/?token=${SECRET}`];
    const { code, stderr } = await assay(args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`a redirect to ${elsewhere.comfy.url}`)]);
    expect(elsewhere.comfy.seen).toEqual([]);
    expect(stderr).not.toContain(SECRET);
  });
});

describe('some images alone', () => {
  const mask = {
    '7': { class_type: 'MaskToImage', inputs: { mask: ['6', 0] } },
    '9': { class_type: 'SaveImage', inputs: { images: ['7', 0], filename_prefix: 'k/mask' } },
  };

  it('masks stay where they are and are named; with --judge-maps they are judged', async () => {
    const { comfy, own, rejectAll, history } = await site();
    comfy.addRun({ images: [image], graph: mask, prefix: 'k/mask' });
    const args = ['watch', '--once', '--comfyui', comfy.url, ...own, '--output-dir', comfy.outputDir];
    const { stderr } = await assay([...args, '--policy', rejectAll]);
    expect(stderr).toContain('left alone: k/mask_00001_.png: a mask');
    expect(stderr).toContain('1 left alone: a mask');
    expect([history(), readdirSync(join(comfy.outputDir, 'k'))]).toEqual([[], ['mask_00001_.png']]);
    await assay([...args, '--policy', rejectAll, '--judge-maps']);
    expect([history(), readdirSync(join(comfy.outputDir, 'k'))]).toEqual([['k/mask_00001_.png'], []]);
  });

  it.each([
    [
      ['--only-folder', 'keep'],
      ['keep/a_00001_.png', 'keep/b_00002_.png'],
    ],
    [
      ['--only-prefix', 'b', '--only-prefix', 'nothing'],
      ['b_00002_.png', 'keep/b_00002_.png'],
    ],
    [['--not-prefix', 'keep/b', '--not-prefix', 'a'], ['b_00002_.png']],
    [['--only-node', '9', '--not-node', 'Save*'], ['b_00002_.png']],
  ])('%j', async (flags, expected) => {
    const { comfy, own, history } = await site();
    const saver = { '9': { class_type: 'SaveImage', inputs: {} } };
    comfy.addRun({ images: [image], prefix: 'keep/a', graph: saver });
    comfy.addRun({ images: [image], prefix: 'keep/b', graph: saver });
    comfy.addRun({ images: [image], prefix: 'b' });
    await assay(['watch', '--once', '--comfyui', comfy.url, ...own, ...flags]);
    expect(history().toSorted()).toEqual(expected);
  });
});

it('a second watch of the same host and data folder is told who is there', async () => {
  const { comfy, own, folder } = await site();
  const args = ['--comfyui', comfy.url, ...own];
  const first = startWatch(args);
  await until('it watches', () => first.stderr().includes('watching'));
  const second = await assay(['watch', '--once', ...args]);
  expect(second.code).toBe(2);
  expect(second.stderr).toMatch(
    new RegExp(`watched already .* process ${first.child.pid} on .*WATCH_HELD`, 's'),
  );
  const elsewhere = await assay(['watch', '--once', ...args, '--data-dir', join(folder, 'other')]);
  expect(elsewhere.code).toBe(0);
  await first.kill();
  expect((await assay(['watch', '--once', ...args])).code).toBe(0);
});

it('a subfolder that is a link is left until its target is allowed, then its images are moved and come back', async () => {
  const { comfy, own, rejectAll, folder, write, dataDir } = await site();
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  symlinkSync(disk, join(comfy.outputDir, 'archive'));
  comfy.addRun({ images: [image], prefix: 'archive/a' });
  const args = ['--comfyui', comfy.url, ...own, '--output-dir', comfy.outputDir, '--policy', rejectAll];
  const { stderr } = await assay(['watch', '--once', ...args]);
  expect(stderr).toMatch(/behind a link that leads out.*linkedDirs.*LINK_OUTSIDE/s);
  expect(readdirSync(disk)).toHaveLength(1);
  const config = write('config.json', JSON.stringify({ comfyui: { linkedDirs: [disk] } }));
  await assay(['watch', '--once', ...args, '--config', config]);
  expect(readdirSync(disk)).toEqual([]);
  await assay(['rejects', 'restore', '--all', '--data-dir', dataDir]);
  expect(readdirSync(disk)).toEqual(['a_00001_.png']);
  comfy.history.clear();
  await assay(['watch', '--once', ...args, '--config', config]);
  expect(readdirSync(disk)).toEqual(['a_00001_.png']);
});

it('a history of large workflows is read to its end, while the host goes on', async () => {
  const { comfy, own, write, history } = await site();
  const config = write('config.json', JSON.stringify({ limits: { maxBodyBytes: 2e6 } }));
  const graph = (size: number) => ({ '9': { class_type: 'SaveImage', inputs: { note: 'x'.repeat(size) } } });
  for (let i = 0; i < 20; i++) comfy.addRun({ images: [image], graph: graph(300_000) });
  comfy.addRun({ images: [image], graph: graph(3e6), prefix: 'huge' });
  const watching = startWatch(['--comfyui', comfy.url, ...own, '--config', config]);
  await until('all but the huge one', () => watching.lines.length === 20, 20_000);
  for (let i = 0; i < 3; i++) comfy.addRun({ images: [image], graph: graph(300_000), prefix: 'later' });
  await until('what came later', () => watching.lines.length === 23, 20_000);
  expect(await watching.stop()).toBe(0);
  expect(watching.stderr()).toContain('1 oversized run');
  expect(history()).not.toContain('huge_00001_.png');
});
