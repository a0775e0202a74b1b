import { spawn } from 'node:child_process';
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fail } from '../../../src/errors/error.ts';
import { allPages, until } from '../../store/helpers.ts';
import { scoreByText } from './memory-host.ts';
import { keepTelling, put, recorded, recordedAre, site } from './support.ts';

describe('watching', () => {
  it('scores what the history holds, then what is new', async () => {
    const { host, store, start } = site();
    host.run({ 'a.png': 'a' });
    host.run({ 'b.png': 'b', 'c.png': 'c' }, { status: 'error', prompt: 'a dog' });
    start();
    await recordedAre(store, ['a.png', 'b.png', 'c.png']);
    host.run({ 'd.png': 'd' }, { subfolder: 'deep\\down' });
    host.tell('changed');
    await recordedAre(store, ['a.png', 'b.png', 'c.png', 'deep/down/d.png']);
    const entries = allPages(store);
    expect(entries.map((e) => [e.client, e.result.error])).toEqual(Array(4).fill(['watch', null]));
    expect(entries.find((e) => e.result.source === 'b.png')!.result.prompt).toBe('a dog');
  });

  it('reads no more of the history than it takes to meet what it knows', async () => {
    const { host, store, start } = site();
    for (let i = 0; i < 50; i++) host.run({ [`${i}.png`]: `${i}` });
    start();
    await until('50 verdicts', () => recorded(store).length === 50);
    expect(host.pages).toEqual([undefined]);
    for (let i = 50; i < 73; i++) host.run({ [`${i}.png`]: `${i}` });
    host.tell('changed');
    await until('73 verdicts', () => recorded(store).length === 73);
    expect(host.pages).toEqual([undefined, 8, 16, 32]);
  });

  it('leaves inputs out, and previews when asked to', async () => {
    const { host, store, once } = site();
    host.run({ 'in.png': 'in' }, { type: 'input' });
    host.run({ 'preview.png': 'p' }, { type: 'temp' });
    host.run({ 'out.png': 'o' });
    await once({ outputsOnly: true });
    expect(recorded(store)).toEqual(['out.png']);
    await once();
    expect(recorded(store)).toEqual(['out.png', 'temp/preview.png']);
  });

  it('holds few images of a large run at a time', async () => {
    const { host, store, once } = site();
    host.run(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`${i}.png`, `${i}`])));
    let [inWork, most] = [0, 0];
    await once({
      score: async (item, signal) => {
        most = Math.max(most, ++inWork);
        await new Promise(setImmediate);
        return scoreByText(item, signal).finally(() => inWork--);
      },
    });
    expect(recorded(store)).toHaveLength(500);
    expect(most).toBeLessThanOrEqual(4);
    expect(most).toBeGreaterThan(1);
  });

  it('finishes what is in work when it is stopped, and begins no more', async () => {
    const { host, store, start } = site();
    host.run(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}.png`, `${i}`])));
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const running = start({ score: (item, signal) => gate.then(() => scoreByText(item, signal)) });
    await until('4 in work', () => host.fetched.length === 4);
    const stopped = running.stop();
    release();
    await stopped;
    expect(recorded(store)).toHaveLength(4);
  });
});

it('stops in the midst of a long queue, also with --once, and goes on with it later', async () => {
  const { host, store, start, once } = site();
  host.run(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}.png`, `${i}`])));
  let told = 0;
  const running = start({ once: true, onImage: () => void (++told === 10 && running.stop()) });
  await running.ended;
  expect(recorded(store).length).toBeLessThan(20);
  await once();
  expect(new Set(recorded(store)).size).toBe(300);
  expect(recorded(store)).toHaveLength(300);
});

it('gives up what is in work when that takes too long', async () => {
  const { host, store, start } = site();
  host.run({ 'a.png': 'a' });
  const score = (_: unknown, signal: AbortSignal) =>
    new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const running = start({ score, pace: { drainMs: 20 } });
  await until('it is in work', () => host.fetched.length === 1);
  await running.stop();
  expect(recorded(store)).toEqual([]);
});

describe('an image', () => {
  it('that was scored is not scored by a later watch', async () => {
    const { host, store, once } = site();
    host.run({ 'a.png': 'a' });
    await once();
    await once();
    expect([recorded(store), host.fetched]).toEqual([['a.png'], ['a.png']]);
  });

  it('named again by the cache of the host is not scored again, nor fetched', async () => {
    const { host, store, once } = site();
    host.run({ 'a.png': 'a' });
    await once();
    host.history = [];
    host.run({ 'a.png': 'a' }, { replayed: true });
    await once();
    expect([recorded(store), host.fetched]).toEqual([['a.png'], ['a.png']]);
  });

  it('listed twice counts once', async () => {
    const { host, store, once } = site();
    const run = host.run({ 'a.png': 'a' });
    run.images.push({ ...run.images[0]!, node: '10' });
    await once();
    expect([recorded(store), host.fetched]).toEqual([['a.png'], ['a.png']]);
  });

  it('under a name that was used before is scored when its bytes are new', async () => {
    const { host, store, once } = site();
    host.run({ 'a.png': 'first' });
    await once();
    host.run({ 'a.png': 'second' });
    await once();
    host.run({ 'a.png': 'second' });
    await once();
    await once();
    expect(recorded(store)).toEqual(['a.png', 'a.png']);
    expect(host.fetched).toHaveLength(3);
  });

  it('that is gone is recorded as failed, once, and does not stop the others', async () => {
    const { host, store, once } = site();
    host.run({ 'gone.png': null, 'a.png': 'a' });
    await once();
    await once();
    const failed = allPages(store, { failed: true });
    expect(failed.map((e) => [e.result.source, e.result.error!.code])).toEqual([['gone.png', 'IMAGE_GONE']]);
    expect(recorded(store)).toHaveLength(2);
  });

  it('whose host is away is fetched when it is back', async () => {
    const { host, store, start } = site();
    host.run({ 'a.png': 'a' });
    host.onFetch = () => {
      host.away = true;
      host.onFetch = () => {};
      throw fail('HOST_UNREACHABLE', { url: host.url, reason: 'it ended' });
    };
    start();
    await until('a few tries', () => host.away);
    expect(recorded(store)).toEqual([]);
    host.away = false;
    await recordedAre(store, ['a.png']);
  });

  it('that breaks every connection fails alone', async () => {
    const { host, store, start } = site();
    host.run({ 'a.png': 'a', 'cursed.png': 'c' });
    host.onFetch = (file) => {
      if (file.filename === 'cursed.png') throw fail('HOST_UNREACHABLE', { url: host.url, reason: 'reset' });
    };
    start({ pace: { retryMs: 1 } });
    await recordedAre(store, ['a.png', 'cursed.png']);
    expect(allPages(store, { failed: true })[0]!.result.error!.code).toBe('HOST_UNREACHABLE');
  });

  it('that the scorer fails on is tried again, and recorded as failed in the end', async () => {
    const { host, store, once } = site();
    host.run({ 'a.png': 'a', 'b.png': 'b' });
    const tries: Record<string, number> = {};
    const error = { code: 'INFERENCE_FAILED', message: 'it broke' };
    await once({
      score: async (item, signal) => {
        tries[item.id] = (tries[item.id] ?? 0) + 1;
        const scored = await scoreByText(item, signal);
        return item.id === 'a.png' || tries[item.id] === 1
          ? { ...scored, aspects: null, decision: null, error }
          : scored;
      },
    });
    expect(tries).toEqual({ 'a.png': 4, 'b.png': 2 });
    expect(
      allPages(store)
        .map((e) => [e.result.source, e.result.error?.code])
        .toSorted(),
    ).toEqual([
      ['a.png', 'INFERENCE_FAILED'],
      ['b.png', undefined],
    ]);
  });

  it('waits while the history cannot be written', async () => {
    const { folder, host, store, start } = site();
    const script = `const { DatabaseSync } = require('node:sqlite');
      const db = new DatabaseSync(process.argv[1]);
      db.exec('BEGIN EXCLUSIVE');
      console.log('held');
      setInterval(() => {}, 1000);`;
    const running = start();
    await until('a first look', () => host.pages.length > 0);
    const holder = spawn(process.execPath, ['-e', script, join(folder, 'data', 'history.db')]);
    onTestFinished(() => void holder.kill('SIGKILL'));
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    host.run({ 'a.png': 'a' });
    host.tell('changed');
    await until('trouble', () => running.troubles.some((e) => e.code === 'STORE_UNAVAILABLE'));
    holder.kill('SIGKILL');
    await recordedAre(store, ['a.png']);
  });
});

describe('the output folder', () => {
  const old = (path: string, seconds = 10) => {
    const at = Date.now() / 1000 - seconds;
    utimesSync(path, at, at);
  };

  it('gives what the history of a host that was restarted lacks', async () => {
    const { host, store, outputs, files, start } = site();
    const began = store.ledger(host.url);
    old(put(outputs, 'older.png', 'o'), 100);
    host.run({ 'a.png': 'a' });
    put(outputs, 'a.png', 'a');
    start({ files: files(), ledger: { ...began, begin: () => Date.now() - 50_000 } });
    await recordedAre(store, ['a.png']);
    old(put(outputs, 'sub/lost.png', 'l'));
    put(outputs, 'notes.txt', 'no image');
    host.history = [];
    host.tell('back');
    await recordedAre(store, ['a.png', 'sub/lost.png']);
    // The history may tell of it after all.
    host.run({ 'lost.png': 'l' }, { subfolder: 'sub' });
    host.run({ 'b.png': 'b' });
    host.tell('changed');
    await recordedAre(store, ['a.png', 'b.png', 'sub/lost.png']);
  });

  it('is left alone by what is still in the writing', async () => {
    const { host, store, outputs, files, start } = site();
    const path = put(outputs, 'fresh.png', 'half');
    utimesSync(path, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    start({ files: files(), ledger: { ...store.ledger(host.url), begin: () => 0 } });
    host.run({ 'a.png': 'a' });
    host.tell('changed');
    await recordedAre(store, ['a.png']);
    old(put(outputs, 'fresh.png', 'whole'));
    keepTelling(host);
    await recordedAre(store, ['a.png', 'fresh.png']);
    expect(allPages(store).find((e) => e.result.source === 'fresh.png')!.result.error).toBeNull();
  });

  it('may go away and come back; a file that cannot be read fails once', async () => {
    const { host, store, outputs, files, start, once } = site();
    old(put(outputs, 'a.png', 'a'));
    old(put(outputs, 'huge.png', 'x'.repeat(1e6 + 1)));
    const { folder, ...others } = files();
    let isAway = true;
    const read: typeof folder.read = async (file) => {
      if (isAway) throw fail('OUTPUT_DIR_UNUSABLE', { path: outputs, reason: 'the disk is gone' });
      return folder.read(file);
    };
    const ledger = { ...store.ledger(host.url), begin: () => 0 };
    const parts = { files: { ...others, folder: { ...folder, read } }, ledger };
    const running = start(parts);
    await until('trouble', () => running.troubles.length > 0);
    isAway = false;
    host.tell('changed');
    await recordedAre(store, ['a.png', 'huge.png']);
    expect(allPages(store, { failed: true }).map((e) => e.result.error!.code)).toEqual(['IMAGE_TOO_HEAVY']);
    await running.stop();
    await once(parts);
    expect(recorded(store)).toHaveLength(2);
  });

  it('tells of a known file that was written anew', async () => {
    const { host, store, outputs, files, once } = site();
    old(put(outputs, 'a.png', 'a'));
    const parts = { files: files(), ledger: { ...store.ledger(host.url), begin: () => 0 } };
    await once(parts);
    await once(parts);
    expect(recorded(store)).toEqual(['a.png']);
    put(outputs, 'a.png', 'anew');
    // It is settled only after a while.
    await once({ ...parts, pace: { retryMs: 100 } });
    expect(recorded(store)).toEqual(['a.png', 'a.png']);
  });
});
