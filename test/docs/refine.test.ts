/** The page on refinement says what there is: its options, its examples of words, its answer of a model. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { answerSchema } from '../../src/bridge/providers/rewriter.ts';
import { refineCommand } from '../../src/cli/commands/refine.ts';
import { lostWords } from '../../src/loops/refine/drift.ts';
import { refineSpecOf } from '../../src/loops/refine/spec.ts';

const page = readFileSync(new URL('../../docs/refine.md', import.meta.url), 'utf8');

/** Cells of the table with this heading, row by row. */
const rows = (heading: string): string[][] =>
  new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, 'm')
    .exec(page)![1]!
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

it('its defaults are those of a refinement, and of the help', () => {
  const spec: Record<string, unknown> = refineSpecOf({ version: 1, seed: 1, prompt: 'a fox' });
  const help = refineCommand(() => {})
    .helpInformation()
    .replace(/\s+/g, ' ');
  for (const [option, value] of rows('option')) {
    const name = option!.replaceAll('`', '').slice(2);
    const key = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect(`${spec[key]}`).toBe(value!.replaceAll('`', ''));
    expect(help).toMatch(new RegExp(`--${name} .*?\\(default: ${spec[key]}\\)`));
  }
});

it('its examples of lost words are right', () => {
  for (const [original, version, lost] of rows('original'))
    expect(lostWords(original!, version!).join(', ')).toBe(lost);
});

it('its answer of a model is one', () => {
  const [, answer] = /^```json\n([\s\S]*?)^```/m.exec(page)!;
  expect(answerSchema.parse(JSON.parse(answer!)).variants).toHaveLength(2);
});
