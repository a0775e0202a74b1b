import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type WalkOptions, walk } from '../../src/lib/walk.ts';
import { tempFolder } from '../support/files.ts';

function tree(files: string[], links: Record<string, string> = {}): string {
  const root = tempFolder();
  for (const file of files) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  return root;
}

function walked(root: string, options?: WalkOptions, folders = ['']): string[] {
  const paths = folders.map((folder) => join(root, folder));
  return Array.from(walk(paths, options), ({ path }) => path.slice(root.length + 1)).toSorted();
}

test('every file once, by its own folder, however many links lead there', () => {
  const root = tree(['a/1', 'b/2', 'c'], {
    'a/to-b': '../b',
    'a/up': '..',
    self: '.',
    'z-file': 'c',
    gone: 'nowhere',
  });
  const loops: string[] = [];
  const found = walked(root, {
    onLeftOut: (path, why) => loops.push(`${path.slice(root.length + 1)}: ${why}`),
  });
  expect(found).toEqual(['a/1', 'b/2', 'c', 'gone', 'z-file']);
  expect(loops.toSorted()).toEqual(['a/up: link loop', 'self: link loop']);
});

test('a link out of the folder is followed once', () => {
  const elsewhere = tree(['x/1']);
  const root = tree(['2'], { one: elsewhere, two: join(elsewhere, 'x') });
  expect(walked(root)).toEqual(['2', 'one/x/1']);
});

test('several folders, some in each other, and folders left out', () => {
  const root = tree(['a/1', 'a/b/2', 'c/3', 'd/4']);
  expect(walked(root, {}, ['a/b', 'a', 'c'])).toEqual(['a/1', 'a/b/2', 'c/3']);
  expect(walked(root, { except: new Set([join(root, 'a')]) })).toEqual(['c/3', 'd/4']);
  expect(walked(root, { depth: 1 }, ['a'])).toEqual(['a/1']);
});

test('what is hidden or no file is told', () => {
  const root = tree(['.git/x', '.DS_Store', '1']);
  execFileSync('mkfifo', [join(root, 'pipe')]);
  const told: string[] = [];
  const onLeftOut = (path: string, why: string) => told.push(`${path.slice(root.length + 1)}: ${why}`);
  expect(walked(root, { onLeftOut })).toEqual(['1']);
  expect(told.toSorted()).toEqual(['.DS_Store: hidden', '.git: hidden', 'pipe: pipe or device']);
});

// Root reads everything.
test.skipIf(process.getuid?.() === 0)('a folder that cannot be read is told, and the rest is walked', () => {
  const root = tree(['locked/1', 'open/2']);
  chmodSync(join(root, 'locked'), 0);
  const unreadable: string[] = [];
  expect(walked(root, { onUnreadable: ({ path }) => unreadable.push(path) })).toEqual(['open/2']);
  expect(unreadable).toEqual([join(root, 'locked')]);
  chmodSync(join(root, 'locked'), 0o700);
});
