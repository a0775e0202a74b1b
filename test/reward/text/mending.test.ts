/** Prompts mended before their tokens are looked up: the daemon against the code that CLIP's own tokenizer calls. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findPython } from '../../../scripts/python.ts';
import { randomFrom } from '../../../src/lib/random.ts';
import { openMending } from '../../../src/reward/text/mending.ts';
import { cpuMsOf } from '../../support/cpu.ts';
import { tempFolder } from '../../support/files.ts';

const TRAINING = fileURLToPath(new URL('../../../training', import.meta.url));
const PACKAGES = ['ftfy', 'torch', 'tokenizers'];
const python = findPython(PACKAGES);
if (!python) process.stderr.write(`mending is not compared: no Python with ${PACKAGES.join(', ')}\n`);

const WRITE = `
import json, sys
from pathlib import Path
from assay_training.clip.mending import mended, write_mending
write_mending(Path(sys.argv[1]) / "mending.json")
json.dump([mended(text) for text in json.load(sys.stdin)], sys.stdout)`;

/** Writes the tables into the folder and returns the texts as Python mends them. */
function reference(folder: string, texts: string[]): string[] {
  const input = JSON.stringify(texts);
  const { status, stdout, stderr } = spawnSync(python!, ['-c', WRITE, folder], {
    cwd: TRAINING,
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    timeout: 120_000,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as string[];
}

/** UTF-8 read as another encoding. */
const mangle = (text: string, encoding: string): string =>
  new TextDecoder(encoding).decode(Buffer.from(text));

const WRITTEN: [given: string, mended: string][] = [
  ['caf&eacute; &EACUTE;', 'café é'],
  ['it&#39;s it&#x27;s it&apos;s', "it's it's it's"],
  ['Q&amp;A &amp;lt;3 &amp;amp;amp;amp;eacute;', 'q&a <3 é'],
  ['AT&T R&D &amp &notit; &unknown; &#xzz; &#; &', 'at&t r&d & ¬it; &unknown; &#xzz; &#; &'],
  ['a <b> &amp;amp;eacute; &rsquo;', 'a <b> &eacute; ’'],
  ['&#0; &#150; &#55296; &#1114112; &#59;', '� – � � ;'],
  ['\ufeffa\u0000b\u0007c\u001b[31md\u001b[0m\u007f', 'abcd'],
  ['soft\u00adhyphen zero\u200bwidth', 'soft\u00adhyphen zero\u200bwidth'],
  ['a\u00a0b\u3000c\u2028d\u0085e\r\nf', 'a b c d…e f'],
  ['“a” ‘b’ ﬁne ＬＯＵＤ ｶﾞ', '"a" \'b\' fine loud ガ'],
  ['naÃ¯ve cafÃ© â€œquotedâ€\u009d', 'naïve café "quoted"'],
  ['ÃƒÂ© voilÃ le travail', 'é voilà le travail'],
  ['Ð¿Ñ€Ð¸Ð²ÐµÑ‚ 日本', 'привет 日本'],
  ['ΟΔΥΣΣΕΥΣ İstanbul', 'οδυσσευς i̇stanbul'],
  ['  \n ', ''],
];

const PIECES = [
  'a red fox', ' in the snow', ', ', ' ', '\n', '<', '<b>', 'é', '“x”', '…', '日本', 'привет', 'Σ', '👍', 'ﬁ', '\u00a0',
  '&eacute;', '&hellip;', '&amp;', '&AMP;', '&amp;quot;', '&nbsp', '&#8217;', '&#x1F600;', '&#129', '&zwj;', '&fake;',
  '\u0000', '\u001b[1m', '\u0092', '\u00ad', '\ufeff', '\ufffd', '\u200d', 'Â ', 'Ã ', 'â€™', 'Å\u0082', '�',
]; // biome-ignore format: a table
const ENCODINGS = ['latin1', 'windows-1251', 'windows-1250', 'iso-8859-2', 'macintosh', 'windows-1257'];

function drawn(count: number): string[] {
  const random = randomFrom(12);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  return Array.from({ length: count }, () => {
    const text = Array.from({ length: 1 + Math.floor(random() * 7) }, () => pick(PIECES)).join('');
    return random() < 0.4 ? mangle(text, pick(ENCODINGS)) + (random() < 0.3 ? pick(PIECES) : '') : text;
  });
}

describe.skipIf(!python)('a text with mending tables', () => {
  it('becomes what the tokenizer of CLIP makes of it', () => {
    const folder = tempFolder();
    const texts = [...WRITTEN.map(([given]) => given), ...drawn(1500)];
    const expected = reference(folder, texts);
    const mend = openMending(folder, 'mending.json');
    expect(WRITTEN.map(([given]) => mend(given))).toEqual(WRITTEN.map(([, mended]) => mended));
    const apart = texts.flatMap((text, i) =>
      mend(text) === expected[i] ? [] : [[text, mend(text), expected[i]]],
    );
    expect(apart).toEqual([]);
  });

  it('is mended quickly, however it is nested', () => {
    const folder = tempFolder();
    reference(folder, []);
    const mend = openMending(folder, 'mending.json');
    for (const text of [
      `&${'amp;'.repeat(4000)}`,
      'Ã'.repeat(8000),
      '\u001b[1'.repeat(3000),
      '&#'.repeat(8000),
    ]) {
      expect(cpuMsOf(() => mend(text))).toBeLessThan(1000);
    }
  });
});

it('says what is wrong with its tables', () => {
  const folder = tempFolder();
  writeFileSync(join(folder, 'mending.json'), '{"version":2}');
  expect(() => openMending(folder, 'mending.json')).toThrow(/mending\.json: version/);
});
