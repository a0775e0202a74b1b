/** The token from a file, where neither a list of processes nor one of environments shows it. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fail, reasonOf } from '../errors/error.ts';
import { readPlainFile } from '../lib/plain-file.ts';

/** Fits a header, and cannot be guessed by trying. */
export const TOKEN = /^[\x21-\x7e]{8,4096}$/;
export const TOKEN_EXPECTED = 'one word of at least 8 printable characters';

/**
 * The token, or another secret word, in a file, without the space around it, and a note when others may read the file.
 *
 * @param given its path
 * @param setting that names it
 * @throws TOKEN_UNREADABLE; nothing of the file is repeated, nor the path where it may be the token itself
 */
export function readToken(given: string, setting = 'tokenFile'): { token: string; notes: string[] } {
  const path = resolve(given);
  const shown = isPath(given) ? path : `the file that ${setting} names (not shown)`;
  try {
    const token = readPlainFile(path)
      .toString('utf8')
      .replace(/^\ufeff/, '')
      .trim();
    if (!TOKEN.test(token)) throw new Error(`it must hold ${TOKEN_EXPECTED}`);
    return {
      token,
      notes: openToAll(path) ? [`every user of this machine can read ${path}: chmod 600`] : [],
    };
  } catch (cause) {
    const reason = reasonOf(cause).replaceAll(path, shown);
    throw fail('TOKEN_UNREADABLE', { path: shown, reason }, { cause: shown === path ? cause : undefined });
  }
}

/** Whether it leads somewhere: a token that was given in place of its file does not. */
function isPath(given: string): boolean {
  const [top, ...rest] = given.split(/(?<=[^/\\])[/\\]/);
  return existsSync(given) || (rest.length > 0 && existsSync(top!));
}

/** Windows keeps no such bits; a pipe is read once, by us. */
function openToAll(path: string): boolean {
  const stat = statSync(path);
  return process.platform !== 'win32' && stat.isFile() && (stat.mode & 0o004) !== 0;
}
