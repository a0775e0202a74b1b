/** Files that no history tells of, files that are left alone, and files that a person took back. */
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shownBy } from '../../../src/bridge/hosts/comfyui/link/shown.ts';
import { leaveReason } from '../../../src/loops/watch/choice.ts';
import { allPages, until } from '../../store/helpers.ts';
import { ALL, keepTelling, put, recorded, recordedAre, site } from './support.ts';

const ACTIONS = { accept: 'keep', unsure: 'keep', reject: 'move' } as const;
const aged = (path: string, seconds = 10): void => {
  const at = Date.now() / 1000 - seconds;
  utimesSync(path, at, at);
};
/** Watching began long ago. */
const longAgo = ({ store, host }: ReturnType<typeof site>) => ({
  ledger: { ...store.ledger(host.url), begin: () => 0 },
});

describe('a file that nothing tells of', () => {
  it('is found while the watch runs, once', async () => {
    const place = site();
    const { host, store, outputs, files, start } = place;
    const running = start({ files: files(), pace: { folderMs: 10 }, ...longAgo(place) });
    host.run({ 'a.png': 'a' });
    keepTelling(host);
    await recordedAre(store, ['a.png']);
    aged(put(outputs, 'sub/untold.png', 'u'));
    await recordedAre(store, ['a.png', 'sub/untold.png']);
    aged(put(outputs, 'later.png', 'l'), 3600);
    await recordedAre(store, ['a.png', 'sub/untold.png', 'later.png']);
    await running.stop();
    expect(running.images.map((image) => image.output.filename)).toEqual([
      'a.png',
      'untold.png',
      'later.png',
    ]);
  });

  it('of a busy host is taken once a run that ended later is known', async () => {
    const place = site();
    const { host, store, outputs, files, start } = place;
    host.queued = async () => ['running'];
    start({ files: files(), ...longAgo(place) });
    aged(put(outputs, 'untold.png', 'u'), 20);
    keepTelling(host);
    host.run({ 'a.png': 'a' }, { endedAt: Date.now() - 30_000 });
    await recordedAre(store, ['a.png']);
    host.run({ 'b.png': 'b' }, { endedAt: Date.now() - 10_000 });
    await recordedAre(store, ['a.png', 'b.png', 'untold.png']);
  });

  it('of a run that goes on is left to its history, also when another run has just ended', async () => {
    const place = site();
    const { host, store, outputs, files, start } = place;
    // from the beginning: a look at the folder that began before it would take the file for nobody's
    host.queued = async () => ['running'];
    start({ files: files(), ...longAgo(place) });
    host.run({ 'a.png': 'a' }, { endedAt: Date.now() - 60_000 });
    await recordedAre(store, ['a.png']);
    aged(put(outputs, 'early.png', 'e'), 30);
    keepTelling(host);
    host.run({ 'b.png': 'b' }, { endedAt: Date.now() - 50_000 });
    await recordedAre(store, ['a.png', 'b.png']);
    host.run({ 'c.png': 'c', 'early.png': 'e' }, { endedAt: Date.now() - 20_000 });
    await recordedAre(store, ['a.png', 'b.png', 'c.png', 'early.png']);
    const early = allPages(store).find(({ result }) => result.source === 'early.png');
    expect(early!.result.prompt).toBe('a cat');
  });

  it('is not looked for again and again in a folder that takes long', async () => {
    const place = site();
    const { host, files, start } = place;
    const { folder, ...others } = files();
    let scans = 0;
    const scan: typeof folder.scan = async (...times) => {
      scans++;
      return folder.scan(...times);
    };
    start({
      files: { ...others, folder: { ...folder, scan } },
      pace: { folderGapMs: 60_000 },
      ...longAgo(place),
    });
    keepTelling(host);
    for (let i = 0; i < 10; i++) {
      host.run({ [`${i}.png`]: `${i}` });
      await until(`image ${i}`, () => recorded(place.store).length === i + 1);
    }
    expect(scans).toBe(1);
  });
});

describe('a file that is left alone', () => {
  const leaves = leaveReason({ only: ALL, not: { ...ALL, nodes: ['12'] }, judgeMaps: false });

  it('is told with the reason, not judged, and not brought up by the folder', async () => {
    const place = site();
    const { host, store, outputs, files, start, once } = place;
    for (const name of ['mask.png', 'other.png', 'moving.webp', 'far.png', 'a.png'])
      aged(put(outputs, name, 'bad'));
    host.run({ 'mask.png': 'bad' }, { maker: { type: 'SaveImage', title: null, map: 'a mask' } });
    host.run({ 'other.png': 'bad' }, { node: '12' });
    const moving = { filename: 'moving.webp', subfolder: '', type: 'output' } as const;
    const left = [
      { file: { ...moving, filename: 'clip.mp4' }, name: 'clip.mp4', node: '9', reason: 'a video' },
      { file: moving, name: 'moving.webp', node: '9', reason: 'animated' },
      ...shownBy({ images: [{ ...moving, filename: 'far.png', type: 'cloud' }] }).left.map((far) => ({
        ...far,
        node: '9',
      })),
    ];
    host.run({ 'a.png': 'bad' }, { left });
    const running = start({ files: files(), leaves, actions: ACTIONS, ...longAgo(place) });
    await recordedAre(store, ['a.png']);
    await running.stop();
    expect(running.left).toEqual([
      'mask.png: a mask',
      'other.png: its node is left out',
      'clip.mp4: a video',
      'moving.webp: animated',
      'far.png: of the unknown type "cloud"',
    ]);
    // The host forgets, and the folder has them still.
    host.history.splice(0);
    await once({ files: files(), leaves, actions: ACTIONS, ...longAgo(place) });
    expect(recorded(store)).toEqual(['a.png']);
    expect(readdirSync(outputs).toSorted()).toEqual(['far.png', 'mask.png', 'moving.webp', 'other.png']);
  });

  it('is judged once the choice has changed, where the history tells of it', async () => {
    const { host, store, once } = site();
    host.run({ 'mask.png': 'm' }, { node: '12' });
    await once({ leaves });
    expect(recorded(store)).toEqual([]);
    await once();
    await once();
    expect(recorded(store)).toEqual(['mask.png']);
  });

  it('does not hide a picture that gets its name later', async () => {
    const { host, store, once } = site();
    host.run({ 'x.png': 'm' }, { node: '12' });
    await once({ leaves });
    host.run({ 'x.png': 'p' });
    await once({ leaves });
    expect(recorded(store)).toEqual(['x.png']);
  });
});

describe('a file that a person took back', () => {
  async function restored() {
    const place = site();
    const { host, outputs, store, bin, files, once } = place;
    aged(put(outputs, 'a.png', 'bad'));
    host.run({ 'a.png': 'bad' }, { endedAt: Date.now() - 5000 });
    const parts = () => ({ files: files(), actions: ACTIONS, ...longAgo(place) });
    await once(parts());
    const [rejected] = await bin.list();
    const path = join(outputs, 'a.png');
    store.ledger(host.url).restored(rejected!.image, rejected!.sha256);
    await bin.restore(rejected!, path);
    return { ...place, parts, path };
  }

  it('stays, also when its metadata is edited and the host has forgotten it', async () => {
    const { host, outputs, once, parts, path, store } = await restored();
    writeFileSync(path, `${readFileSync(path, 'utf8')} edited`);
    aged(path, 3);
    await once(parts());
    host.history.splice(0);
    await once(parts());
    expect(readdirSync(outputs)).toEqual(['a.png']);
    expect(recorded(store)).toEqual(['a.png']);
  });

  it('is another image when a later run makes one of that name', async () => {
    const { host, outputs, once, parts, path, store } = await restored();
    writeFileSync(path, 'bad, too');
    host.run({ 'a.png': 'bad, too' }, { endedAt: Date.now() + 5000 });
    await once(parts());
    expect(readdirSync(outputs)).toEqual([]);
    expect(allPages(store)).toHaveLength(2);
  });
});
