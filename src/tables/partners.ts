/**
 * Which row of a table is about which image file. A row may name its image by its path, by the end of its path, by its
 * name, or by its name without extension: the more of the path agrees, the better.
 */
import { relative, resolve } from 'node:path';
import { IMAGE_EXTENSIONS } from '../types/image.ts';
import { extensionOf, partsOf, stemOf } from './names.ts';

/** A row, or several that say the same of one image. */
export interface Named {
  name: string;
  /** For messages: `line 4`. */
  place: string;
}

export interface Partners<R extends Named> {
  /** Files of each row, best format first; none when it has no image here. */
  filesOf: Map<R, string[]>;
  /** Rows of each file, in their order; a file without rows is absent. */
  rowsOf: Map<string, R[]>;
  rowsWithoutFile: R[];
  filesWithoutRow: string[];
  /** What was guessed, for people. */
  notes: string[];
}

export interface Places<R extends Named> {
  /** Folders that names in the table may be relative to. */
  roots: readonly string[];
  /** Whether two rows may be about the same file. */
  agree: (a: R, b: R) => boolean;
}

type Spell = (file: string) => string;

/** How much of a file name must agree: each spelling is tried only on what those before left over. */
const SPELLINGS: { note: string | null; spell: Spell }[] = [
  { note: null, spell: (file) => file },
  { note: null, spell: stemOf },
  { note: 'whatever their case', spell: (file) => stemOf(file).toLowerCase() },
];

/** The last `depth` parts of a path, its file name spelt in some way; undefined for a shorter path. */
function tailOf(parts: readonly string[], depth: number, spell: Spell): string | undefined {
  if (parts.length < depth || depth < 1) return undefined;
  return [...parts.slice(-depth, -1), spell(parts.at(-1)!)].join('/');
}

function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string | undefined): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Files that differ in their extension alone hold one picture; the best format comes first. */
function onePicture(files: string[]): string[] | undefined {
  if (new Set(files.map(stemOf)).size > 1) return undefined;
  const rank = (file: string) => IMAGE_EXTENSIONS.indexOf(extensionOf(file)) >>> 0;
  return [...files].sort((a, b) => rank(a) - rank(b));
}

const shown = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(' and ');

/** Which rows are tried, and which of their finds are guesses. */
interface Tail<R> {
  among: (row: R) => boolean;
  isGuess: (row: R) => boolean;
}

/** One search for partners; what is found is taken out of what is left. */
class Search<R extends Named> {
  readonly #parts: ReadonlyMap<R, string[]>;
  /** What has no partner yet. */
  readonly #rows: Set<R>;
  readonly #files: Map<string, string[]>;
  readonly #agree: Places<R>['agree'];
  readonly filesOf = new Map<R, string[]>();
  readonly rowsOf = new Map<string, R[]>();
  readonly guessed: { row: R; file: string }[] = [];

  constructor(rows: readonly R[], files: readonly string[], agree: Places<R>['agree']) {
    this.#parts = new Map(rows.map((row) => [row, partsOf(row.name)]));
    this.#rows = new Set(rows);
    this.#files = new Map(files.map((file) => [file, partsOf(resolve(file))]));
    this.#agree = agree;
  }

  get rowsLeft(): R[] {
    return [...this.#rows];
  }

  get filesLeft(): string[] {
    return [...this.#files.keys()];
  }

  get deepest(): number {
    return this.rowsLeft.reduce((depth, row) => Math.max(depth, this.#parts.get(row)!.length), 0);
  }

  /** By the full path that a name means in one of the folders. */
  exactly(roots: readonly string[]): void {
    const byPath = new Map([...this.#files].map(([file, parts]) => [parts.join('/'), file]));
    for (const row of this.rowsLeft) {
      const paths = roots.map((root) => partsOf(resolve(root, row.name.replaceAll('\\', '/'))).join('/'));
      const files = [...new Set(paths.flatMap((path) => byPath.get(path) ?? []))];
      if (files.length > 0) this.#join([row], files);
    }
    this.#takeOut();
  }

  /** By the last `depth` parts of the paths. @returns how many rows found a partner */
  byTail(depth: number, spell: Spell, { among, isGuess }: Tail<R>): number {
    const before = this.filesOf.size;
    const files = groupBy(this.filesLeft, (file) => tailOf(this.#files.get(file)!, depth, spell));
    const rows = groupBy(this.rowsLeft.filter(among), (row) => tailOf(this.#parts.get(row)!, depth, spell));
    for (const [tail, own] of rows) {
      const found = files.get(tail);
      if (!found) continue;
      this.#join(own, found);
      for (const row of own) if (isGuess(row)) this.guessed.push({ row, file: found[0]! });
    }
    this.#takeOut();
    return this.filesOf.size - before;
  }

  /** Rows that are left because another one has their file: they must say the same. */
  secondNames(): void {
    const files = groupBy(this.rowsOf.keys(), (file) => stemOf(partsOf(file).at(-1)!).toLowerCase());
    for (const row of this.rowsLeft) {
      const parts = this.#parts.get(row)!;
      const tail = tailOf(parts, parts.length, stemOf)?.toLowerCase();
      const same = files.get(stemOf(parts.at(-1) ?? '').toLowerCase()) ?? [];
      const taken = same.filter(
        (file) => tailOf(partsOf(resolve(file)), parts.length, stemOf)?.toLowerCase() === tail,
      );
      if (taken.length === 1) this.#join([...this.rowsOf.get(taken[0]!)!, row], taken);
    }
    this.#takeOut();
  }

  hasFolder = (row: R): boolean => this.#parts.get(row)!.length > 1;

  /** @throws Error naming rows and files when it is not clear which belong together */
  #join(rows: R[], found: string[]): void {
    const [first] = rows;
    const files = onePicture(found);
    if (!files)
      throw new Error(
        `${first!.place}: ${JSON.stringify(first!.name)} fits ${found.length} images, ${shown(found.slice(0, 2))}; write more of the path`,
      );
    const other = rows.find((row) => !this.#agree(first!, row));
    if (other)
      throw new Error(
        `${first!.place} and ${other.place} both name ${shown([files[0]!])} (${shown([first!.name, other.name])}), and do not say the same`,
      );
    for (const row of rows) this.filesOf.set(row, files);
    for (const file of files) {
      const before = (this.rowsOf.get(file) ?? []).filter((row) => !rows.includes(row));
      const clash = before.find((row) => !this.#agree(row, first!));
      if (clash)
        throw new Error(
          `${clash.place} and ${first!.place} both name ${shown([file])}, and do not say the same`,
        );
      this.rowsOf.set(file, [...before, ...rows]);
    }
  }

  #takeOut(): void {
    for (const row of this.filesOf.keys()) this.#rows.delete(row);
    for (const file of this.rowsOf.keys()) this.#files.delete(file);
  }
}

/**
 * Finds the partners of rows and files.
 *
 * @throws Error naming rows and files when it is not clear which belong together
 */
export function findPartners<R extends Named>(
  rows: readonly R[],
  files: readonly string[],
  { roots, agree }: Places<R>,
): Partners<R> {
  const search = new Search(rows, files, agree);
  const notes: string[] = [];
  search.exactly(roots);
  let byFolder = [...search.filesOf.keys()].filter(search.hasFolder).length;
  for (const { note, spell } of SPELLINGS) {
    const before = search.guessed.length;
    const isGuess = (row: R) => note !== null || (byFolder === 0 && search.hasFolder(row));
    const all = { among: () => true, isGuess: () => note !== null };
    for (let depth = search.deepest; depth > 1; depth--) byFolder += search.byTail(depth, spell, all);
    // Where folders of the table are those of the files, a name in another folder is another image.
    search.byTail(1, spell, { among: (row) => byFolder === 0 || !search.hasFolder(row), isGuess });
    notes.push(...guessNote(search.guessed.slice(before), note ?? 'whatever their folder'));
  }
  search.secondNames();
  notes.push(...severalNote(search.filesOf));
  return {
    filesOf: search.filesOf,
    rowsOf: search.rowsOf,
    rowsWithoutFile: search.rowsLeft,
    filesWithoutRow: search.filesLeft,
    notes,
  };
}

/** A name without extension may fit several files. */
function severalNote(filesOf: ReadonlyMap<Named, string[]>): string[] {
  const several = [...filesOf].filter(([, files]) => files.length > 1);
  const [first] = several;
  if (!first) return [];
  const [row, files] = first;
  const more = several.length > 1 ? `, and ${several.length - 1} more like it` : '';
  return [
    `${shown([row.name])} (${row.place}) was taken for one picture in ${files.length} formats, ${shown(files.slice(0, 2))}${more}`,
  ];
}

function guessNote(guessed: { row: Named; file: string }[], how: string): string[] {
  const [first] = guessed;
  if (!first) return [];
  const more = guessed.length > 1 ? ` and ${guessed.length - 1} more` : '';
  const file = relative('', first.file) || first.file;
  return [
    `names were matched ${how}: ${shown([first.row.name])} (${first.row.place}) with ${shown([file])}${more}`,
  ];
}
