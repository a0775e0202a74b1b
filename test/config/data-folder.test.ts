import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultDataDir } from '../../src/config/data-folder.ts';

describe('the data folder when nobody names one', () => {
  it.each<[Record<string, string>, NodeJS.Platform, string]>([
    [{ HOME: '/home/me' }, 'linux', '/home/me/.local/share/assay'],
    [{ HOME: '/home/me', XDG_DATA_HOME: '/data/me' }, 'linux', '/data/me/assay'],
    [{ HOME: '/home/me', XDG_DATA_HOME: 'relative' }, 'linux', '/home/me/.local/share/assay'],
    [{ HOME: '/' }, 'linux', '/.local/share/assay'],
    [{ HOME: '/Users/me' }, 'darwin', '/Users/me/Library/Application Support/assay'],
    [{ LOCALAPPDATA: 'C:\\Users\\me\\Local' }, 'win32', 'C:\\Users\\me\\Local\\assay\\Data'],
  ])('of %j on %s is %s', (env, platform, folder) => {
    expect(defaultDataDir(env, platform)).toBe(folder);
  });

  it.skipIf(process.platform === 'win32').each(['', 'relative'])(
    'with HOME=%j is in the home that the system knows',
    (home) => {
      expect(defaultDataDir({ HOME: home }, 'linux')).toBe(`${homedir()}/.local/share/assay`);
    },
  );
});
