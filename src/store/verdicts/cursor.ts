/** The place where a page of the history ended, as text that callers hand back and do not read. */
import { fail } from '../../errors/error.ts';

const PREFIX = 'before:';

/** @param rowId the last row of the page */
export const cursorAfter = (rowId: number): string => Buffer.from(PREFIX + rowId).toString('base64url');

/**
 * The row id that a cursor stands for.
 *
 * @throws BAD_REQUEST when no page gave this cursor
 */
export function rowOfCursor(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  const rowId = text.startsWith(PREFIX) ? Number(text.slice(PREFIX.length)) : Number.NaN;
  if (Number.isSafeInteger(rowId) && cursorAfter(rowId) === cursor) return rowId;
  const shown = cursor.length > 40 ? `${cursor.slice(0, 40)}…` : cursor;
  throw fail('BAD_REQUEST', { reason: `cursor "${shown}" is not the "next" of a history page` });
}
