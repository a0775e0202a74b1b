/** A daemon that watches a host: one model, one history, for what clients send and what the host makes. */
import { once } from 'node:events';
import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openedStore, until } from '../store/helpers.ts';
import { startFake as startWebui } from '../support/a1111/fake.ts';
import { pictures } from '../support/a1111/requests.ts';
import { assay, outcomeOf, serve, start } from '../support/cli.ts';
import { startFake } from '../support/comfyui/fake.ts';
import { tempFolder } from '../support/files.ts';
import { flat, picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

async function site(policy?: object) {
  const folder = tempFolder();
  const comfy = await startFake();
  onTestFinished(() => comfy.stop());
  const models = join(folder, 'models');
  writeModel(models);
  const dataDir = join(folder, 'data');
  const config = join(folder, 'config.json');
  const policyFile = join(folder, 'policy.json');
  if (policy) writeFileSync(policyFile, JSON.stringify(policy));
  const host = { url: comfy.url, outputDir: comfy.outputDir, ...(policy && { policyFile }) };
  writeFileSync(
    config,
    JSON.stringify({ comfyui: host, modelDirs: [models], scorer: 'test-bright', dataDir }),
  );
  return { folder, comfy, dataDir, args: ['--config', config, '--threads', '1'] };
}

type Entry = { client: string; result: { source: string | null; decision: string } };

async function historyOf(url: string): Promise<Entry[]> {
  const page = (await (await fetch(`${url}/v1/history`)).json()) as { entries: Entry[] };
  return page.entries;
}

it('scores what the host makes beside what clients send, into one history', async () => {
  const { comfy, args } = await site();
  const bytes = await png(picture(64, 64));
  comfy.addRun({ images: [bytes] });
  const { url, stop } = await serve(['--watch', 'comfyui', ...args]);
  await until('the first', async () => (await historyOf(url)).length === 1);
  const form = new FormData();
  form.set('image', new Blob([new Uint8Array(bytes)]), 'mine.png');
  expect((await fetch(`${url}/v1/score`, { method: 'POST', body: form })).status).toBe(200);
  comfy.addRun({ images: [await png(picture(64, 96))] });
  await until('all', async () => (await historyOf(url)).length === 3);
  const clients = (await historyOf(url)).map(({ client }) => client);
  expect(clients.filter((client) => client === 'watch')).toHaveLength(2);
  // Only one may watch a host.
  const beside = await assay(['watch', '--once', ...args]);
  expect(beside).toMatchObject({ code: 2, stderr: expect.stringContaining('WATCH_HELD') });
  expect(await stop()).toBe(0);
  const alone = await assay(['watch', '--once', ...args]);
  expect(alone).toMatchObject({ code: 0, stderr: expect.stringContaining('2 were scored before') });
});

it('does what the policy of the host asks, and waits for a host that is away', async () => {
  const { comfy, args, dataDir } = await site({ minReward: 0.9, actions: { reject: 'move' } });
  await comfy.down();
  const { url, stop } = await serve(['--watch', 'comfyui', ...args]);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  await comfy.up();
  const [file] = comfy.addRun({ images: [await png(flat([9, 9, 9], 64))] }).files;
  const path = join(comfy.outputDir, file!.subfolder, file!.filename);
  await until('it is moved', () => !existsSync(path));
  expect(await stop()).toBe(0);
  const { store } = openedStore(dataDir);
  expect((await store.history({ limit: 9 })).entries.map(({ result }) => result.decision)).toEqual([
    'reject',
  ]);
});

it('does not start with a host’s settings that cannot be met', async () => {
  const { args } = await site({ actions: { reject: 'move' } });
  const missing = { ASSAY_COMFYUI_OUTPUT_DIR: '/nowhere/at/all' };
  const { code, stderr } = await outcomeOf(
    start(['serve', '--port', '0', '--watch', 'comfyui', ...args], { env: missing }),
  );
  expect([code, stderr]).toEqual([2, expect.stringContaining('OUTPUT_DIR_UNUSABLE')]);
});

it('tells once of a file that it may not move, and of files that it leaves alone', async () => {
  const { folder, comfy, dataDir, args } = await site({ minReward: 0.9, actions: { reject: 'move' } });
  symlinkSync(folder, join(comfy.outputDir, 'elsewhere'));
  comfy.addRun({ images: [await png(flat([9, 9, 9], 64))], prefix: 'elsewhere/x' });
  const child = start(['serve', '--port', '0', '--watch', 'comfyui', '--log-level', 'info', ...args]);
  let log = '';
  child.stderr!.on('data', (chunk) => {
    log += chunk;
  });
  const closed = once(child, 'close');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await until('it is told', () => log.includes('move pending'));
  const told = JSON.parse(log.split('\n').find((line) => line.includes('move pending'))!);
  expect(told).toMatchObject({
    host: 'comfyui',
    verdict: 'reject',
    reasons: [expect.stringContaining('blank')],
  });
  expect(told.actionReason).toContain('elsewhere');
  child.kill('SIGTERM');
  expect(await closed).toEqual([0, null]);
  expect(existsSync(dataDir)).toBe(true);
});

it('asks a host without a history for its folder as soon as it is there', async () => {
  const webui = await startWebui();
  onTestFinished(() => webui.stop());
  await webui.down();
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  const config = join(folder, 'config.json');
  const scorer = {
    modelDirs: [join(folder, 'models')],
    scorer: 'test-bright',
    dataDir: join(folder, 'data'),
  };
  writeFileSync(config, JSON.stringify({ a1111: { url: webui.url }, ...scorer }));
  const { url, stop } = await serve(['--watch', 'a1111', '--config', config, '--threads', '1']);
  await webui.up();
  const body = JSON.stringify({ ...pictures(), save_images: true });
  await fetch(`${webui.url}/sdapi/v1/txt2img`, { method: 'POST', body });
  await until('it is scored', async () => (await historyOf(url)).length === 1);
  const [entry] = await historyOf(url);
  expect(entry).toMatchObject({ client: 'watch', result: { prompt: 'a fox in the snow' } });
  expect(await stop()).toBe(0);
});
