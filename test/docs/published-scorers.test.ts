/** What docs/published-scorers.md tells to type and quotes exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors/table.ts';
import { NODES } from '../../src/nodes/index.ts';
import { assay } from '../support/cli.ts';

const page = new URL('../../docs/published-scorers.md', import.meta.url);
const text = readFileSync(page, 'utf8');
const training = new URL('../../training/assay_training/', import.meta.url);

/** Lines of the shell blocks. */
const lines = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap((block) => block[1]!.split('\n'));
const flagsOf = (line: string): string[] => line.match(/(?<=\s)--[a-z0-9-]+/g) ?? [];

/** All Python sources of the converter. */
const sources = (readdirSync(training, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.py'))
  .map((name) => readFileSync(new URL(name, training), 'utf8'))
  .join('\n');

describe('docs/published-scorers.md', () => {
  it('converts every system with options that the converter has', () => {
    const converts = lines.filter((line) => line.includes('assay_training convert'));
    expect(converts.map((line) => line.split(' ')[4])).toEqual([
      ...['aapmt', 'aapmt', 'aapmt', 'acl-iqa', 'diff-agiqa'],
      ...Array(5).fill('clip'),
      ...['maniqa', 'maniqa', 'ma-agiqa', 'm3-agiqa'],
    ]);
    const known = readFileSync(new URL('commands/convert.py', training), 'utf8');
    for (const flag of [...converts.flatMap(flagsOf), '--fp16', '--images', '--ratings'])
      expect(known).toContain(`"${flag}"`);
    expect(converts[3]).toContain('--clip clip');
    const presets = converts.slice(5, 10).map((line) => line.split(' ')[6]!);
    expect(presets).toEqual(['clip-score', 'clip-iqa', 'laion-aesthetic', 'pickscore', 'hps']);
    for (const preset of presets) expect(text).toContain(`(\`${preset}\`)`);
  });

  it('goes on with commands and options that there are', async () => {
    const commands = lines.filter((line) => line.startsWith('npm run assay -- '));
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const words = command.split(' ').slice(4);
      const name = words.slice(0, ['models', 'install'].includes(words[0]!) ? 2 : 1);
      const { code, stdout } = await assay([...name, '--help']);
      expect(code, command).toBe(0);
      for (const flag of flagsOf(command.slice(16))) expect(stdout, command).toContain(flag);
    }
  });

  it('quotes messages that the converter has', () => {
    const rows = text.slice(text.indexOf('## When something is wrong')).match(/^\| [^|]+ \|/gm) ?? [];
    const quoted = [
      'this is no checkpoint: it is ',
      'an HTML page',
      'would run code stored in it',
      'no ACL-IQA: ',
      'This looks like ',
      'keys missing: ',
      'unexpected key',
      'is needed',
      'no tokenizer',
      'nothing beside it says with which activation it was trained',
      'no CLIP with both towers: ',
      'no Stable Diffusion 1.5: expected ',
      'it was made for another CLIP',
      'convert without this variant',
    ];
    for (const message of quoted) {
      expect(sources).toContain(message);
      expect(rows.join('\n')).toContain(message.trim());
    }
    for (const [, code] of rows.join('\n').matchAll(/`([A-Z]+_[A-Z_]+)`/g))
      expect(ERRORS).toHaveProperty(code!);
  });

  it('names nodes, and links to files that exist', () => {
    for (const name of ['Assay Prompt from Workflow', 'Assay Best', 'Assay Gate']) {
      expect(NODES.map((node) => node.displayName)).toContain(name);
      expect(text).toContain(`**${name}**`);
    }
    for (const [, target] of text.matchAll(/\]\((?!http)([^)#]+)\)/g))
      expect(existsSync(new URL(target!, page)), target).toBe(true);
  });
});
