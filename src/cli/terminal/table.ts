/** Text tables that fit the terminal: the widest column gives way, cut in its middle. */
import { styleText } from 'node:util';
import stringWidth from 'string-width';

export interface Column<T> {
  title: string;
  value: (row: T) => string;
  align?: 'left' | 'right';
  /** May be cut to fit. */
  flexible?: boolean;
  style?: (row: T) => Parameters<typeof styleText>[0] | undefined;
}

const GAP = '  ';
const MIN_FLEXIBLE = 8;

/** Cuts text to `width` cells, keeping both ends: file names differ at the end. */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  const letters = [...text];
  let [head, tail] = [Math.ceil((width - 1) / 2), Math.floor((width - 1) / 2)];
  const joined = () => `${letters.slice(0, head).join('')}…${letters.slice(letters.length - tail).join('')}`;
  while (head + tail > 0 && stringWidth(joined()) > width) head > tail ? head-- : tail--;
  return joined();
}

function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return align === 'right' ? space + text : text + space;
}

/** Column widths that fit `total` cells where the flexible columns allow it. */
function fitWidths(widths: number[], flexible: boolean[], total: number): number[] {
  const fitted = [...widths];
  const sum = () => fitted.reduce((a, b) => a + b, 0) + GAP.length * (fitted.length - 1);
  while (sum() > total) {
    const candidates = fitted.map((w, i) => (flexible[i] && w > MIN_FLEXIBLE ? w : 0));
    const widest = Math.max(...candidates);
    if (widest === 0) break;
    fitted[candidates.indexOf(widest)]! -= 1;
  }
  return fitted;
}

/** Columns whose cells are all empty are left out. Colours follow NO_COLOR and the stream. */
export function table<T>(rows: T[], columns: Column<T>[], stream: NodeJS.WriteStream): string {
  const shown = columns.filter((c) => rows.some((row) => c.value(row) !== ''));
  const cells = rows.map((row) => shown.map((c) => c.value(row)));
  const natural = shown.map((c, i) =>
    Math.max(stringWidth(c.title), ...cells.map((line) => stringWidth(line[i]!))),
  );
  const flexible = shown.map((c) => c.flexible ?? false);
  const widths = fitWidths(natural, flexible, stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY);
  const paint = (style: Parameters<typeof styleText>[0] | undefined, text: string) =>
    style ? styleText(style, text, { stream }) : text;
  const line = (texts: string[], row?: T) =>
    texts
      .map((text, i) => {
        const column = shown[i]!;
        return paint(
          row ? column.style?.(row) : 'bold',
          pad(shorten(text, widths[i]!), widths[i]!, column.align),
        );
      })
      .join(GAP)
      .trimEnd();
  return `${[line(shown.map((c) => c.title)), ...rows.map((row, i) => line(cells[i]!, row))].join('\n')}\n`;
}
