/** Files of a folder that are no images that Assay reads: counted by kind, images among them named. */
import { counted } from '../../lib/words.ts';
import { extensionOf } from '../../tables/names.ts';

export interface Skipped {
  /** Counts a file once. @param kind how, when not by its extension */
  add(path: string, kind?: string): void;
  /** Number of files by extension, most first. */
  counts(): Record<string, number>;
  /** What was skipped, for people; none when nothing was. */
  notes(): string[];
}

/** Images by their extension that are not read, and what they are. */
const FOREIGN: Record<string, string> = {
  '.jp2': 'JPEG 2000',
  '.j2k': 'JPEG 2000',
  '.psd': 'Photoshop',
  '.xcf': 'GIMP',
  '.kra': 'Krita',
  '.exr': 'OpenEXR',
  '.hdr': 'Radiance',
  '.tga': 'Targa',
  '.dds': 'DirectDraw',
  '.ico': 'icon',
  '.svg': 'SVG',
  '.pdf': 'PDF',
  '.dng': 'camera raw',
  '.cr2': 'camera raw',
  '.cr3': 'camera raw',
  '.nef': 'camera raw',
  '.arw': 'camera raw',
  '.ppm': 'Netpbm',
  '.pgm': 'Netpbm',
  '.qoi': 'QOI',
};

const NAMED = 3;

export function createSkipped(): Skipped {
  const seen = new Set<string>();
  const byKind = new Map<string, number>();
  const foreign = new Map<string, { count: number; first: string[] }>();
  const counts = () => Object.fromEntries([...byKind].sort(([, a], [, b]) => b - a));
  return {
    add(path, kind = extensionOf(path) || 'without extension') {
      if (seen.has(path)) return;
      seen.add(path);
      byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
      const format = FOREIGN[kind];
      if (!format) return;
      const { count, first } = foreign.get(format) ?? { count: 0, first: [] };
      foreign.set(format, { count: count + 1, first: first.length < NAMED ? [...first, path] : first });
    },
    counts,
    notes() {
      const total = [...byKind.values()].reduce((sum, n) => sum + n, 0);
      if (total === 0) return [];
      const kinds = Object.entries(counts()).map(([kind, n]) => `${n} ${kind}`);
      return [
        ...[...foreign].map(([format, { count, first }]) => {
          const more = count > first.length ? `, and ${count - first.length} more` : '';
          return `not read, since ${format} is not a format that Assay reads: ${first.join(', ')}${more}`;
        }),
        `skipped ${counted(total, 'file')}: ${kinds.join(', ')}`,
      ];
    },
  };
}
