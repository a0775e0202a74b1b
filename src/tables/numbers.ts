/** Numbers as tables write them. */

/** Plain decimal notation; `Number` alone would take '' for 0 and also hexadecimal. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const DECIMAL_COMMA = /^[+-]?(\d+,\d*|,\d+)$/;
const MISSING = /^(|-+|–|—|\.|n\/?a|nan|null|none|nil|missing|#n\/a)$/i;

/**
 * Reads a cell. A comma is a decimal comma where it does not separate the cells.
 *
 * @returns null where nothing was written down, undefined for what is no number
 */
export function readNumber(cell: string, delimiter: string | null): number | null | undefined {
  if (MISSING.test(cell)) return null;
  const hasComma = delimiter !== ',' && delimiter !== null && DECIMAL_COMMA.test(cell);
  const text = hasComma ? cell.replace(',', '.') : cell;
  const number = Number(text);
  return DECIMAL.test(text) && Number.isFinite(number) ? number : undefined;
}
