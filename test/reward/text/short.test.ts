/** Texts that have a fixed length of their own when they are short. */
import { expect, it, onTestFinished } from 'vitest';
import { openCatalog } from '../../../src/reward/model/catalog.ts';
import { tempFolder } from '../../support/files.ts';
import { picture } from '../../support/images.ts';
import { writeModel } from '../../support/models.ts';

const SHORT = { words: 2, tokens: 5 };

function catalogWith(short: typeof SHORT) {
  const parent = tempFolder();
  writeModel(parent, { text: true, edit: (m) => Object.assign(m.text!, { short }) });
  const catalog = openCatalog({
    providers: [],
    threads: 1,
    workers: 1,
    modelDirs: [parent],
    defaultId: 'test-bright',
  });
  onTestFinished(() => catalog.close());
  return catalog;
}

it('are cut or filled to it, and what fills them up counts; longer ones keep their tokens', async () => {
  const scorer = await catalogWith(SHORT).open();
  const read = async (prompt: string) => {
    const judged = await scorer.judge(picture(32, 32), prompt, AbortSignal.timeout(20_000));
    return [judged.aspects.alignment!.score! * 2, judged.truncated]; // tokens that the mask counts
  };
  expect(await read('cat')).toEqual([5, false]);
  expect(await read('a cat')).toEqual([5, false]);
  expect(await read('a,cat,red,dog')).toEqual([5, true]);
  expect(await read('a cat red dog')).toEqual([6, false]);
  expect(await read('a  cat')).toEqual([4, false]); // two spaces part three
});

it('are no longer than the context', () => {
  const [broken] = catalogWith({ words: 2, tokens: 9 }).broken();
  expect(broken).toMatchObject({
    code: 'MANIFEST_INVALID',
    message: expect.stringMatching(/text\.short\.tokens is more than text\.contextLength/),
  });
});
