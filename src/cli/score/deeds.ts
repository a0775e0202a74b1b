/** What is done to the image files themselves, one after the other, beside the scoring. */
import { resolve } from 'node:path';
import { counted } from '../../lib/words.ts';
import type { ScoreResult } from '../../types/result.ts';
import { complain } from '../terminal/complaint.ts';
import { copyAll, type Mover, openMover } from './files.ts';
import { openKeeper } from './metadata.ts';

export interface DeedFlags {
  writeMetadata?: boolean;
  moveRejects?: string;
  copyTop?: string;
}

export interface Deeds {
  /** Tags and moves as the flags say. Never throws: what fails is told at once and counted. */
  perform(path: string, result: ScoreResult): Promise<void>;
  /** Moves, as the flags say, what an earlier run scored. Never throws. */
  performLate(path: string, result: ScoreResult): Promise<void>;
  /** Copies what is listed. @returns how many files could not be dealt with */
  end(listed: readonly ScoreResult[]): Promise<number>;
  /** What was done, for people. */
  readonly notes: string[];
}

const images = (n: number): string => counted(n, 'image');

const movedNote = ({ moved, folder }: Mover): string =>
  `moved ${images(moved)} to ${folder}; \`assay rejects list --reject-dir ${folder}\` tells why, and \`restore\` brings them back`;

/** Only what can be looked at is worth a copy. */
const isSound = ({ error, guards }: ScoreResult): boolean => error === null && guards.length === 0;

/** @throws REJECT_BIN_UNUSABLE */
export async function openDeeds({ writeMetadata, moveRejects, copyTop }: DeedFlags): Promise<Deeds> {
  const keeper = writeMetadata ? openKeeper() : undefined;
  const mover = moveRejects === undefined ? undefined : await openMover(moveRejects);
  const notes: string[] = [];
  let failed = 0;
  let last = Promise.resolve();

  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      complain(error);
      failed++;
    }
  };

  /** One after the other. */
  const next = (work: () => Promise<unknown>): Promise<void> => {
    last = last.then(() => attempt(work));
    return last;
  };

  async function copy(listed: readonly ScoreResult[]): Promise<void> {
    if (copyTop === undefined || listed.length === 0) return;
    const paths = listed.filter(isSound).map(({ source }) => source!);
    const { copied, present, errors } = await copyAll(resolve(copyTop), paths);
    const before = present > 0 ? `, ${present} there already` : '';
    notes.push(`copied ${images(copied)} to ${copyTop}${before}`);
    for (const error of errors) complain(error);
    failed += errors.length;
  }

  return {
    async perform(path, result) {
      if (!keeper && !mover) return;
      await next(async () => {
        const isTagged = (await keeper?.keep(path, result)) ?? false;
        await mover?.move(path, result, isTagged);
      });
    },
    async performLate(path, result) {
      if (mover) await next(() => mover.move(path, result, false));
    },
    async end(listed) {
      await last;
      await attempt(() => copy(listed));
      if (mover) notes.push(movedNote(mover));
      return failed;
    },
    notes,
  };
}
