/** `assay score --show-metadata` and `--write-metadata`: scores that are kept in the image files themselves. */
import { toAssayError } from '../../errors/error.ts';
import { EXIT } from '../../errors/exit.ts';
import { readTag, tagFile } from '../../files/metadata/file.ts';
import { recordOf, type ScoreRecord } from '../../files/metadata/metadata.ts';
import { version } from '../../lib/version.ts';
import type { ItemError, ScoreResult } from '../../types/result.ts';
import type { Format } from '../input/flags.ts';
import { type Expanded, expandImages, refuseStdin } from '../input/images.ts';
import { claimOut } from '../terminal/claim.ts';
import { openOut } from '../terminal/out.ts';
import { type Look, printer } from '../terminal/printer.ts';
import { type Column, table } from '../terminal/table.ts';
import { COLUMNS, flatOrigin, flatScores, meaning, notes, type Verdict } from '../terminal/verdicts.ts';

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

interface ShowFlags {
  format?: Format;
  out?: string;
  force?: boolean;
}

/** Prints what the files carry; scores nothing. */
export async function showMetadata(names: string[], flags: ShowFlags): Promise<number> {
  refuseStdin(names, '--show-metadata');
  const claim = claimOut(flags.out);
  try {
    return await printAll(expandImages(names), flags);
  } finally {
    claim.release();
  }
}

async function printAll({ paths, failures, skipped }: Expanded, flags: ShowFlags): Promise<number> {
  const out = openOut(flags.out, flags);
  for (const note of skipped.notes()) process.stderr.write(`${note}\n`);
  const print = printer(flags.format ?? 'table', FILES, out.stream);
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
  await out.close(true);
  return errors > 0 ? EXIT.someFailed : EXIT.ok;
}

/** Keeps scores in the files that they belong to. */
export interface Keeper {
  /** @returns false where there is no score to keep. @throws what writing it throws */
  keep(path: string, result: ScoreResult): Promise<boolean>;
}

export const openKeeper = (): Keeper => ({
  async keep(path, result) {
    const record = recordOf(result, version);
    if (!record) return false;
    // The digest makes sure that a file written over meanwhile does not get the score of the old one.
    await tagFile(path, record, record.sha256);
    return true;
  },
});
