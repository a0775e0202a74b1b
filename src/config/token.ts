/** The token from a file, where neither a list of processes nor one of environments shows it. */
import { statSync } from 'node:fs';
import { fail, reasonOf } from '../errors/error.ts';
import { readPlainFile } from '../lib/plain-file.ts';

/** Fits a header, and cannot be guessed by trying. */
export const TOKEN = /^[\x21-\x7e]{8,4096}$/;
export const TOKEN_EXPECTED = 'one word of at least 8 printable characters';

/**
 * The token in a file, without the space around it, and a note when others may read the file.
 *
 * @throws TOKEN_UNREADABLE; nothing of the file is repeated
 */
export function readToken(path: string): { token: string; notes: string[] } {
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
    throw fail('TOKEN_UNREADABLE', { path, reason: reasonOf(cause) }, { cause });
  }
}

/** Windows keeps no such bits; a pipe is read once, by us. */
function openToAll(path: string): boolean {
  const stat = statSync(path);
  return process.platform !== 'win32' && stat.isFile() && (stat.mode & 0o004) !== 0;
}
