/** The folder of a study: what is written is there after any death, and what cannot be read is told. */
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { beginFolder, openFolder, type Plan } from '../../../src/loops/study/folder.ts';
import { specOf } from '../../../src/loops/study/spec.ts';
import { holdStudy } from '../../../src/search.ts';
import { tempFolder } from '../../support/files.ts';

const PLAN: Plan = {
  ...{
    version: 1,
    assay: '0.0.0',
    begun: '2026-01-01T00:00:00.000Z',
    seeds: ['3.seed'],
    steps: [],
    prompt: null,
  },
  host: { kind: 'comfyui', url: 'http://127.0.0.1:8188' },
  workflow: { file: 'w.json', text: '{}' },
  spec: specOf({ version: 1, seed: 1 }),
};
const ASKED = { asked: [] };

async function begun(): Promise<string> {
  const folder = join(tempFolder(), 'a/b');
  const study = await beginFolder(folder, PLAN);
  study.add(ASKED);
  study.add({ submitted: 't1', run: 'r1' });
  study.add({ submitted: 't1', run: 'r2' });
  await study.saveImage('t1.png', Buffer.from('image'));
  study.close();
  return folder;
}

describe('the folder of a study', () => {
  it('tells all that was written into it', async () => {
    const study = openFolder(await begun());
    expect(study).toMatchObject({ plan: PLAN, events: [ASKED] });
    expect([study.runOf('t1'), study.runOf('t2'), `${study.readImage('t1.png')}`]).toEqual([
      'r2',
      undefined,
      'image',
    ]);
    study.close();
  });

  it('forgets a line that was cut off, and goes on behind the one before', async () => {
    const folder = await begun();
    appendFileSync(join(folder, 'journal.jsonl'), '{"asked":[{"id":"t1","pro');
    const study = openFolder(folder);
    study.add({ stopped: { reason: 'stopped', words: 'enough' } });
    study.close();
    expect(openFolder(folder).events).toHaveLength(2);
  });

  it.each<[string, string, (folder: string) => void]>([
    ['there is none', 'STUDY_MISSING', (folder) => rmSync(join(folder, 'study.json'))],
    ['it is of another version', 'STUDY_VERSION', (folder) => edit(folder, '"version": 1', '"version": 2')],
    [
      'its plan is cut off',
      'STUDY_DAMAGED',
      (folder) => writeFileSync(join(folder, 'study.json'), '{"version"'),
    ],
    ['its plan lacks something', 'STUDY_DAMAGED', (folder) => edit(folder, '"seeds"', '"seats"')],
    [
      'a line is damaged',
      'STUDY_DAMAGED',
      (folder) => appendFileSync(join(folder, 'journal.jsonl'), 'x\n{}\n'),
    ],
  ])('says that %s', async (_, code, spoil) => {
    const folder = await begun();
    spoil(folder);
    expect(() => openFolder(folder)).toThrow(expect.objectContaining({ code }));
    expect(`${readFileSync(join(folder, 'images/t1.png'))}`).toBe('image');
  });

  it('is run by one process alone', async () => {
    const folder = await begun();
    const hold = holdStudy(folder);
    expect(() => holdStudy(folder)).toThrow(expect.objectContaining({ code: 'STUDY_HELD' }));
    hold.release();
    holdStudy(folder).release();
  });

  it('is not begun twice', async () => {
    await expect(beginFolder(await begun(), PLAN)).rejects.toMatchObject({ code: 'STUDY_EXISTS' });
  });

  it('says so when it cannot be written', async () => {
    const folder = await begun();
    const study = openFolder(folder);
    rmSync(join(folder, 'images'), { recursive: true });
    await expect(study.saveImage('t2.png', Buffer.from(''))).rejects.toMatchObject({
      code: 'OUTPUT_UNWRITABLE',
    });
    study.close();
    expect(() => study.add(ASKED)).toThrow(expect.objectContaining({ code: 'OUTPUT_UNWRITABLE' }));
    mkdirSync(join(folder, 'images'));
  });
});

function edit(folder: string, from: string, to: string): void {
  const path = join(folder, 'study.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
}
