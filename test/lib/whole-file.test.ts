import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeLasting, writeWhole } from '../../src/lib/whole-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'assay-whole-'));
const at = (name: string): string => join(folder, name);

afterAll(() => rmSync(folder, { recursive: true }));

it.each([writeWhole, writeLasting])(
  '$name puts a file in place, and leaves nothing beside it',
  async (write) => {
    writeFileSync(at('file'), 'old', { mode: 0o644 });
    await write(at('file'), 'new', 0o600);
    expect(readFileSync(at('file'), 'utf8')).toBe('new');
    expect(statSync(at('file')).mode & 0o777).toBe(0o600);

    // A folder with something in it cannot be replaced.
    mkdirSync(join(at('taken'), 'in it'), { recursive: true });
    await expect(async () => write(at('taken'), 'new')).rejects.toThrow(/EISDIR|EEXIST|ENOTEMPTY/);
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  },
);
