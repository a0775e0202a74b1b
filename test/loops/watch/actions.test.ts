import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import type { Ledger, WatchParts } from '../../../src/loops/watch/ports.ts';
import { allPages, until } from '../../store/helpers.ts';
import { put, recorded, site, tagger } from './support.ts';

const ACTIONS: WatchParts['actions'] = { accept: 'tag', unsure: 'keep', reject: 'move' };
const ABOUT = { type: 'output' as const, subfolder: '' };

/** A site whose host holds these images, also in its output folder. */
function withImages(images: Record<string, string>) {
  const place = site();
  for (const [name, text] of Object.entries(images)) put(place.outputs, name, text);
  place.host.run(images);
  const ledger = place.store.ledger(place.host.url);
  const text = (name: string) => readFileSync(join(place.outputs, name), 'utf8');
  const row = (filename: string) => ledger.find({ ...ABOUT, filename })!;
  return { ...place, ledger, text, row, parts: { files: place.files(), actions: ACTIONS } };
}

describe('an image', () => {
  it('is kept, tagged or moved by its verdict, and named with its reason', async () => {
    const { outputs, parts, once, bin, text, row } = withImages({
      'a.png': 'good',
      'b.png': 'odd',
      'c.png': 'bad',
    });
    await once(parts);
    expect([text('a.png'), text('b.png'), readdirSync(outputs)]).toEqual([
      'good [accept]',
      'odd',
      ['a.png', 'b.png'],
    ]);
    const [rejected, ...rest] = await bin.list();
    expect(rest).toEqual([]);
    expect(rejected).toMatchObject({
      original: join(outputs, 'c.png'),
      image: { ...ABOUT, filename: 'c.png' },
      reasons: ['quality 1.00 is below 2.00'],
      result: { decision: 'reject', reward: 0.63 },
    });
    expect(readFileSync(rejected!.path, 'utf8')).toBe('bad [reject]');
    expect(['a.png', 'b.png', 'c.png'].map((name) => row(name).state)).toEqual(['done', 'done', 'done']);
  });

  it('that was tagged or moved is not scored again, nor one of its name that is new left out', async () => {
    const { host, outputs, parts, once, store } = withImages({ 'a.png': 'good', 'c.png': 'bad' });
    await once(parts);
    await once({ ...parts, ledger: { ...store.ledger(host.url), begin: () => 0 }, pace: { retryMs: 100 } });
    expect(recorded(store)).toHaveLength(2);
    put(outputs, 'c.png', 'bad too');
    host.run({ 'c.png': 'bad too' });
    await once(parts);
    await once(parts);
    expect(recorded(store)).toHaveLength(3);
    expect(existsSync(join(outputs, 'c.png'))).toBe(false);
  });

  it('that is a preview, failed, or has no folder is left alone', async () => {
    const { host, parts, once, row, text } = withImages({ 'c.png': 'bad' });
    host.run({ 'p.png': 'bad' }, { type: 'temp' });
    host.run({ 'gone.png': null });
    await once({ ...parts, files: undefined });
    expect([row('c.png').action, row('gone.png').action, text('c.png')]).toEqual(['keep', 'keep', 'bad']);
  });

  it.each([
    ['climbs out', '../outside.png', ''],
    ['climbs out of its subfolder', 'outside.png', 'sub/../..'],
    ['is absolute', '/outside.png', ''],
    ['is a link to elsewhere', 'link.png', ''],
    ['lies below a link to elsewhere', 'outside.png', 'linked'],
    ['holds a NUL', 'a\0.png', ''],
  ])('whose name %s is scored and not touched', async (_, filename, subfolder) => {
    const { folder, outputs, host, once, store, ...place } = site();
    const outside = put(folder, 'outside.png', 'bad');
    symlinkSync(outside, join(outputs, 'link.png'));
    symlinkSync(folder, join(outputs, 'linked'));
    mkdirSync(join(outputs, 'sub'));
    host.run({ [filename]: 'bad' }, { subfolder });
    let reason: string | null = null;
    await once({ files: place.files(), actions: ACTIONS, onImage: ({ output }) => (reason = output.reason) });
    expect(reason).toMatch(
      filename.includes('\0')
        ? /no such file/
        : subfolder === 'linked'
          ? /behind a link that leads out/
          : /lies outside/,
    );
    expect(readFileSync(outside, 'utf8')).toBe('bad');
    expect(recorded(store)).toHaveLength(1);
  });

  it('that was changed after it was scored is not moved', async () => {
    const { outputs, parts, once, row, text } = withImages({ 'c.png': 'bad' });
    put(outputs, 'c.png', 'something else');
    await once(parts);
    expect(row('c.png')).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/changed after it was scored/),
    });
    expect(text('c.png')).toBe('something else');
  });

  it('whose format has no room for a score is moved all the same', async () => {
    const { parts, once, bin } = withImages({ 'c.gif': 'bad' });
    const refuse = () => {
      throw fail('METADATA_UNSUPPORTED', { path: 'c.gif' });
    };
    await once({ ...parts, files: { ...parts.files, tagger: { tagged: refuse, write: refuse } } });
    expect(readFileSync((await bin.list())[0]!.path, 'utf8')).toBe('bad');
  });
});

describe('a reject bin that cannot be written', () => {
  it('lets scoring go on; images are moved once it can', async () => {
    const { host, outputs, rejects, parts, start, store, bin } = withImages({ 'c.png': 'bad' });
    writeFileSync(rejects, 'in the way');
    const { troubles } = start(parts);
    await until('two tries', () => troubles.filter((e) => e.code === 'REJECT_BIN_UNUSABLE').length > 0);
    put(outputs, 'd.png', 'bad');
    host.run({ 'd.png': 'bad' });
    host.tell('changed');
    await until('both scored', () => recorded(store).length === 2);
    rmSync(rejects);
    await until('both moved', () => {
      host.tell('changed');
      return readdirSync(outputs).length === 0;
    });
    expect((await bin.list()).map((r) => r.image.filename).toSorted()).toEqual(['c.png', 'd.png']);
  });
});

describe('a process that ends', () => {
  /** Ends the watch at the nth call of this kind; a later watch finishes what it began. */
  const dying = (ledger: Ledger, call: 'expect' | 'settle'): Ledger => ({
    ...ledger,
    [call]: () => {
      throw fail('STORE_UNAVAILABLE', { reason: 'the process is no more' });
    },
  });

  it.each(['expect', 'settle'] as const)('at "%s" has its actions finished by the next', async (call) => {
    const { outputs, ledger, parts, once, bin, text, row, store } = withImages({
      'a.png': 'good',
      'c.png': 'bad',
    });
    await once({ ...parts, ledger: dying(ledger, call) });
    expect(row('a.png').state).toBe('pending');
    await once(parts);
    expect([text('a.png'), existsSync(join(outputs, 'c.png'))]).toEqual(['good [accept]', false]);
    expect((await bin.list()).map((r) => readFileSync(r.path, 'utf8'))).toEqual(['bad [reject]']);
    expect([row('a.png').state, row('c.png').state]).toEqual(['done', 'done']);
    expect(recorded(store)).toHaveLength(2);
  });

  it('between the sidecar and the move leaves the image where it was', async () => {
    const { outputs, rejects, parts, once, bin } = withImages({ 'c.png': 'bad' });
    const late = {
      ...parts.files.bin,
      put: async () => Promise.reject(fail('REJECT_BIN_UNUSABLE', { path: rejects, reason: 'x' })),
    };
    await once({ ...parts, files: { ...parts.files, bin: late } });
    expect(readdirSync(outputs)).toEqual(['c.png']);
    await once(parts);
    expect(await bin.list()).toHaveLength(1);
    // As if it had ended after the image got its second name, before it lost its first.
    const [inBin] = await bin.list();
    renameSync(inBin!.path, join(outputs, 'c.png'));
    expect(await bin.list()).toEqual([]);
  });

  it('leaves no file of its own in the output folder', async () => {
    const { outputs, parts, once } = withImages({ 'a.png': 'good' });
    await once({ ...parts, files: { ...parts.files, tagger } });
    expect(readdirSync(outputs)).toEqual(['a.png']);
  });
});

it('verdicts of moved images stay in the history', async () => {
  const { parts, once, store } = withImages({ 'c.png': 'bad' });
  await once(parts);
  expect(allPages(store, { decision: 'reject' }).map((e) => e.result.source)).toEqual(['c.png']);
});
