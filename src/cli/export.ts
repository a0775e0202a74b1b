/** `assay export`: images, their prompts and rewards, as data sets for trainers. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { toAssayError } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { counted, fewOf } from '../lib/words.ts';
import type { RewardItem, RewardResult } from '../types/reward.ts';
import { type Candidate, type Pair, pairsOf, type WAYS } from './export/pairs.ts';
import type { Cell, Column } from './export/parquet.ts';
import { ratingsFor, rewardsFor } from './export/scored.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { type Expanded, expandImages, fileItem, refuseStdin } from './input/images.ts';
import { tell } from './score/run.ts';
import { promptsFor, withRuntime } from './score.ts';
import { claimOut } from './terminal/claim.ts';
import { checkOut, openOut } from './terminal/out.ts';

export interface ExportFlags extends ScorerFlags {
  prompt?: string;
  prompts?: string;
  filePrompts?: boolean;
  profile?: string;
  out: string;
  force?: boolean;
}

export interface PairFlags extends ExportFlags {
  ratings?: string;
  pairs: (typeof WAYS)[number];
  margin: number;
  keepTies?: boolean;
}

/** A data set: its rows for machines that read JSON, and the same with the images in it. */
interface DataSet {
  columns: Column[];
  rows: { line: object; cells: () => Promise<Cell[]> }[];
  notes: string[];
}

/** @throws USAGE */
function isParquet(out: string): boolean {
  const ending = /\.(parquet|jsonl)$/i.exec(out)?.[1]?.toLowerCase();
  if (!ending) throw usage(`--out ${out}: name a file that ends in .parquet or .jsonl`);
  return ending === 'parquet';
}

export const exportPairs = (names: string[], flags: PairFlags): Promise<number> =>
  exportFrom(names, flags, (rewards, { paths }) => {
    const roots = [...names, dirname(flags.ratings ?? '.'), '.'].map((root) => resolve(root));
    const ratings = flags.ratings === undefined ? undefined : ratingsFor(flags.ratings, paths, roots);
    const candidates = rewards.results.filter(isUsable).map((item) => candidateOf(item, ratings?.of));
    const { margin, pairs: way, keepTies = false } = flags;
    const { pairs, prompts, ties } = pairsOf(candidates, { way, margin, keepTies });
    const left =
      ties > 0 ? [`${counted(ties, 'tie')} left out (nearer than --margin ${margin}, or equal)`] : [];
    const notes = [
      ...(ratings?.notes ?? []),
      ...left,
      `${counted(pairs.length, 'pair')} of ${counted(prompts, 'prompt')}`,
    ];
    return { columns: PAIR_COLUMNS, rows: pairs.map(pairRow), notes };
  });

export const exportRewards = (names: string[], flags: ExportFlags): Promise<number> =>
  exportFrom(names, flags, (rewards) => {
    const items = rewards.results.filter(({ missing }) => !missing);
    const terms = Object.keys(rewards.results[0]?.components ?? {});
    const columns: Column[] = [
      ...REWARD_COLUMNS,
      ...terms.map((term) => ({ name: `component_${term}`, type: 'DOUBLE' }) as const),
    ];
    return {
      columns,
      rows: items.map((item) => rewardRow(item, terms)),
      notes: [counted(items.length, 'reward')],
    };
  });

const PAIR_COLUMNS: Column[] = [
  { name: 'caption', type: 'STRING' },
  { name: 'jpg_0', type: 'BYTE_ARRAY' },
  { name: 'jpg_1', type: 'BYTE_ARRAY' },
  { name: 'label_0', type: 'DOUBLE' },
  { name: 'label_1', type: 'DOUBLE' },
];

const REWARD_COLUMNS: Column[] = [
  { name: 'image_path', type: 'STRING' },
  { name: 'jpg', type: 'BYTE_ARRAY' },
  { name: 'caption', type: 'STRING' },
  { name: 'sha256', type: 'STRING' },
  { name: 'reward', type: 'DOUBLE' },
];

const candidateOf = (
  { id, prompt, sha256, reward }: RewardItem,
  ratings?: Map<string, number>,
): Candidate => ({
  ...{ path: id, caption: prompt!, sha256: sha256!, reward: reward! },
  rating: ratings?.get(id) ?? null,
});

/** What stands for a missing reward is for a training loop, and no data. */
const isUsable = ({ missing, prompt }: RewardItem): boolean => !missing && prompt !== null;

function pairRow({ images: [first, second], labels, by }: Pair): DataSet['rows'][number] {
  const { caption } = first;
  const [label_0, label_1] = labels;
  const images = { image_0: first.path, image_1: second.path };
  return {
    line: { caption, ...images, label_0, label_1, reward_0: first.reward, reward_1: second.reward, by },
    cells: async () => [caption, await readFile(first.path), await readFile(second.path), label_0, label_1],
  };
}

function rewardRow(
  { id, prompt, sha256, reward, components }: RewardItem,
  terms: string[],
): DataSet['rows'][number] {
  const values = terms.map((term) => components[term]!.value);
  const named = Object.fromEntries(terms.map((term, i) => [`component_${term}`, values[i]]));
  return {
    line: { image_path: id, caption: prompt, sha256, reward, ...named },
    cells: async () => [id, await readFile(id), prompt, sha256, reward, ...values],
  };
}

async function exportFrom(
  names: string[],
  flags: ExportFlags,
  make: (rewards: RewardResult, expanded: Expanded) => DataSet,
): Promise<number> {
  refuseStdin(names, 'export');
  const asParquet = isParquet(flags.out);
  const claim = claimOut(flags.out);
  try {
    checkOut(flags.out, flags);
    const expanded = expandImages(names, []);
    const prompts = promptsFor(flags, expanded, names);
    tell([...expanded.skipped.notes(), ...prompts.notes]);
    return await withRuntime(flags, async (runtime, signal) => {
      const items = expanded.paths.map((path) => fileItem(path, prompts.of(path)));
      const rewards = await whole(() => rewardsFor(runtime, items, flags.profile, signal), signal);
      if (!rewards) return stopped();
      const data = make(rewards, expanded);
      tell([...unread(expanded), ...leftOut(rewards), ...data.notes, ...stamps(rewards)]);
      await write(data, flags, asParquet, signal);
      const failed = expanded.failures.length > 0 || rewards.results.some(({ error }) => error);
      return failed ? EXIT.someFailed : EXIT.ok;
    });
  } finally {
    claim.release();
  }
}

/** Half of a data set is none. */
async function whole<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function stopped(): number {
  tell(['stopped before all was scored: nothing was written']);
  return EXIT.stopped;
}

function unread({ failures }: Expanded): string[] {
  return failures.map(({ name, error }) => `${name}: ${toAssayError(error).message}`);
}

function leftOut({ results }: RewardResult): string[] {
  const without = results.filter(({ missing }) => missing);
  const names = fewOf(without.map(({ id, missing }) => `${id} (${missing!.reason})`));
  const bare = results.filter(({ missing, prompt }) => !missing && prompt === null).length;
  return [
    ...(without.length > 0 ? [`no reward for ${counted(without.length, 'image')}: ${names}`] : []),
    ...(bare > 0 ? [`no prompt for ${counted(bare, 'image')}: ${counted(bare, 'image')} in no pair`] : []),
  ];
}

/** Which weights made the numbers. */
const stamps = ({ scorers }: RewardResult): string[] =>
  scorers.map(({ id, version, weights }) => `scored by ${id} ${version}, ${weights}`);

/** Rows of a part of the file: images of a few megapixels each are in memory together. */
const ROWS_A_PART = 64;

async function write(
  { columns, rows }: DataSet,
  flags: ExportFlags,
  asParquet: boolean,
  signal: AbortSignal,
) {
  const out = openOut(flags.out, { force: flags.force });
  try {
    if (asParquet) {
      const { ParquetTable } = await import('./export/parquet.ts');
      const table = new ParquetTable(columns, (bytes) => out.stream.write(bytes));
      for (let at = 0; at < rows.length; at += ROWS_A_PART) {
        table.add(await Promise.all(rows.slice(at, at + ROWS_A_PART).map(({ cells }) => cells())));
        await out.ready(signal);
      }
      table.end();
    } else
      for (const { line } of rows) {
        out.stream.write(`${JSON.stringify(line)}\n`);
        await out.ready(signal);
      }
    await out.close(true);
  } finally {
    out.abandon();
  }
}
