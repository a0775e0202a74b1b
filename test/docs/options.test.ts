/** README and pages name settings and options that there are: those of the schema, and those of the table of commands. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { configOf } from '../../src/cli/open.ts';
import { SETTINGS } from '../../src/config.ts';

const root = new URL('../../', import.meta.url);
const pages = [
  'README.md',
  ...readdirSync(new URL('docs', root))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string): string => readFileSync(new URL(page, root), 'utf8');

/** First cells of the tables with this heading. */
const cells = (text: string, heading: string): string[] =>
  [...text.matchAll(new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, 'gm'))].flatMap(
    (table) => table[1]!.split('\n').flatMap((row) => /^\| (.+?) \|/.exec(row)?.[1] ?? []),
  );

const commands = COMMANDS.map((make) => make(() => {}));
const withBelow = (command: Command): Command[] => [command, ...command.commands.flatMap(withBelow)];
const flagsOf = (command: Command): string[] =>
  withBelow(command).flatMap(({ options }) =>
    options.flatMap(({ short, long }) => [short, long]),
  ) as string[];
const named = (text: string): string[] => text.match(/(?<=^|[\s`])--[a-z][a-z0-9-]*/g) ?? [];

describe.each(pages)('%s', (page) => {
  const text = textOf(page);

  it('names settings that there are', () => {
    const keys = SETTINGS.map(({ path }) => path.join('.'));
    const sections = [...new Set(SETTINGS.filter(({ path }) => path.length > 1).map(({ path }) => path[0]))];
    const listed = ['setting', 'key']
      .flatMap((heading) => cells(text, heading))
      .map((cell) => cell.replaceAll('`', ''));
    const dotted = [...text.matchAll(new RegExp(`\`((?:${sections.join('|')})\\.[a-z][\\w.]*)\``, 'gi'))].map(
      (m) => m[1]!,
    );
    const isKnown = (name: string): boolean => keys.some((key) => key === name || key.startsWith(`${name}.`));
    expect([...listed, ...dotted].filter((name) => !isKnown(name))).toEqual([]);
  });

  it('lists options that a command has', () => {
    const flags = commands.flatMap(flagsOf);
    const listed = ['option', 'flag'].flatMap((heading) => cells(text, heading)).flatMap(named);
    expect(listed.filter((flag) => !flags.includes(flag))).toEqual([]);
  });

  it('types commands with options that they have', () => {
    const lines = [...text.matchAll(/^(?:npm run assay -- |assay (?!ready))([a-z]+) (.*)$/gm)];
    const wrong = lines.flatMap(([line, name, rest]) => {
      const command = commands.find((one) => one.name() === name);
      const has = command ? [...flagsOf(command), '--help'] : [];
      return command && named(rest!).every((flag) => has.includes(flag)) ? [] : [line];
    });
    expect(wrong).toEqual([]);
  });
});

it('the pages are not read past', () => {
  const all = pages.map(textOf).join('\n');
  expect(cells(all, 'setting').length).toBeGreaterThan(1);
  expect(cells(all, 'key').length).toBeGreaterThan(30);
  expect([...cells(all, 'option'), ...cells(all, 'flag')].flatMap(named).length).toBeGreaterThan(8);
});

describe('a flag', () => {
  it('that is called like a setting is that setting, with no list to be kept', () => {
    expect(configOf({ workers: 3, background: '#000000', logLevel: 'warn' } as object)).toMatchObject({
      workers: 3,
      background: '#000000',
      logLevel: 'warn',
    });
  });

  it('that is called like a group of settings is something else: a file, for one', () => {
    expect(configOf({ policy: 'policy.json' } as object).policy.aspects).toEqual({});
  });
});
