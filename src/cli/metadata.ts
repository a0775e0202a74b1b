/** `assay score --show-metadata` and `--write-metadata`: scores that are kept in the image files themselves. */
import { EXIT, toAssayError } from '../errors.ts';
import { readTag, tagFile } from '../metadata/file.ts';
import { recordOf, type ScoreRecord } from '../metadata/metadata.ts';
import type { ItemError, ScoreResult } from '../types.ts';
import { complain } from './complaint.ts';
import type { Format } from './flags.ts';
import { expandImages } from './images.ts';
import { closeOut, openOut } from './out.ts';
import { type Look, printer } from './printer.ts';
import { type Column, table } from './table.ts';
import { COLUMNS, flatOrigin, flatScores, meaning, notes, type Verdict } from './verdicts.ts';
import { version } from './version.ts';

/** What one file carries. No score and no error: it carries none. */
interface FileScore {
  source: string;
  assay: ScoreRecord | null;
  error: ItemError | null;
}

type Row = Verdict & { at: string };

const EMPTY = {
  aspects: null,
  reward: null,
  decision: null,
  guards: [],
  reasons: [],
  sha256: null,
  scorer: null,
};
const rowOf = ({ source, assay, error }: FileScore): Row => ({
  ...(assay ?? EMPTY),
  name: source,
  error,
  at: assay?.at ?? '',
});

const FILE_COLUMNS: Column<Row>[] = [
  ...COLUMNS,
  { title: 'scorer', value: ({ scorer }) => (scorer ? `${scorer.id} ${scorer.version}` : '') },
  { title: 'written', value: ({ at }) => at },
];

const FILES: Look<FileScore> = {
  list: 'files',
  flat(file) {
    const row = rowOf(file);
    return { ...flatScores(row), at: row.at, assay: file.assay?.assay ?? '', ...flatOrigin(row) };
  },
  text(files, out) {
    const rows = files.map(rowOf);
    return table(rows, FILE_COLUMNS, out) + notes(rows) + meaning(rows);
  },
};

function failed(source: string, thrown: unknown): FileScore {
  const { code, message } = toAssayError(thrown);
  return { source, assay: null, error: { code, message } };
}

/** Prints what the files carry; scores nothing. */
export async function showMetadata(
  names: string[],
  flags: { format: Format; out?: string },
): Promise<number> {
  const { paths, failures } = await expandImages(names);
  const out = openOut(flags.out);
  const print = printer(flags.format, FILES, out);
  let errors = failures.length;
  for (const { name, error } of failures) print.add(failed(name, error));
  for (const path of paths) {
    const file = await readTag(path).then(
      (assay): FileScore => ({ source: path, assay, error: null }),
      (error) => failed(path, error),
    );
    if (file.error) errors++;
    print.add(file);
  }
  print.end();
  await closeOut(out);
  return errors > 0 ? EXIT.someFailed : EXIT.ok;
}

/** Keeps scores in the files that they belong to, one file after the other, beside the scoring. */
export interface Keeper {
  keep(path: string, result: ScoreResult): void;
  /** Waits for the last file. Files that could not be written are on stderr; their number is returned. */
  done(): Promise<number>;
}

export function openKeeper(): Keeper {
  let last = Promise.resolve();
  const errors: unknown[] = [];
  return {
    keep(path, result) {
      const record = recordOf(result, version);
      // The digest makes sure that a file written over meanwhile does not get the score of the old one.
      if (record)
        last = last.then(() => tagFile(path, record, record.sha256)).catch((e) => void errors.push(e));
    },
    async done() {
      await last;
      for (const error of errors) complain(error);
      return errors.length;
    },
  };
}
