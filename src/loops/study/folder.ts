/**
 * The folder of a study: `study.json` (what it is to do, written once), `journal.jsonl` (what happened, a line each,
 * only ever added to), `images/`. The process may end anywhere; a line that was cut off has not happened.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type AssayError, fail, reasonOf } from '../../errors/error.ts';
import { createFolder } from '../../lib/folder.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import { writeLasting } from '../../lib/whole-file.ts';
import type { ScoreResult } from '../../types/result.ts';
import { policyFileSchema } from '../policy/policy-file.ts';
import { calibrationSchema } from '../previews/calibration.ts';
import { type StudySpec, specSchema } from './spec.ts';
import type { StudyEvent } from './types.ts';

/** Of the format of the folder. */
const VERSION = 1;

/** What every driver needs beside the spec, to go on: all of it as it was at the start. */
export const begunSchema = z.strictObject({
  version: z.literal(VERSION),
  /** Version of Assay that began it. */
  assay: z.string(),
  /** ISO 8601. */
  begun: z.iso.datetime(),
  host: z.strictObject({ kind: z.string(), url: z.string() }),
  /** The text of the workflow file, which may hold numbers that JSON in JavaScript cannot. */
  workflow: z.strictObject({ file: z.string(), text: z.string() }),
  /** Inputs that get the trial's seed. */
  seeds: z.array(z.string()),
  /** `id@version` of the scorer that judges: figures of two are not compared. */
  scorer: z.string().optional(),
});

export const planSchema = z.strictObject({
  ...begunSchema.shape,
  /** Inputs whose steps a draft has fewer of. */
  steps: z.array(z.string()),
  /** The policy file that it was begun with, if any. */
  policy: policyFileSchema.optional(),
  /** What the images are judged by, where it is not the prompt of their workflow. */
  prompt: z.string().nullable(),
  spec: specSchema,
  /** Previews are measured, for that file, or trials are stopped early by what was measured. */
  previews: z
    .union([
      z.strictObject({ file: z.string(), method: z.string().nullable() }),
      z.strictObject({
        calibration: calibrationSchema,
        demand: z.number().min(-1).max(1),
        control: z.number().min(0).max(1),
      }),
    ])
    .optional(),
});
export type Plan = z.infer<typeof planSchema> & { spec: StudySpec };

/** Beside the events: the run of the host that makes a trial, or what the scorer said in full. */
type Aside = { submitted: string; run: string } | { scored: string; result: ScoreResult };

/** What is searched for in a folder: the file that says what is to be done, and what stands in it. */
export interface FolderKind<P> {
  file: string;
  schema: z.ZodType<P>;
}

const STUDY: FolderKind<Plan> = { file: 'study.json', schema: planSchema };

export interface StudyFolder<P = Plan, E = StudyEvent> {
  readonly path: string;
  readonly plan: P;
  /** What happened before, in order. */
  readonly events: readonly E[];
  /** The host's run that makes a trial, the last that was submitted. */
  runOf(trial: string): string | undefined;
  resultOf(image: string): ScoreResult | undefined;
  /** Writes it down before it returns. @throws OUTPUT_UNWRITABLE */
  add(line: E | Aside): void;
  /** Writes an image under that name into `images/`, whole or not at all. @throws OUTPUT_UNWRITABLE */
  saveImage(name: string, bytes: Uint8Array): Promise<void>;
  /** Writes another file of the folder, whole or not at all. @throws OUTPUT_UNWRITABLE */
  save(name: string, contents: string | Uint8Array): Promise<void>;
  readImage(name: string): Buffer;
  close(): void;
}

const journalFile = (folder: string): string => join(folder, 'journal.jsonl');

const cannotWrite = (path: string, cause: unknown): AssayError =>
  fail('OUTPUT_UNWRITABLE', { output: path, reason: reasonOf(cause) }, { cause });

/** Whether a study was begun there. */
export const holdsStudy = (folder: string, { file }: { file: string } = STUDY): boolean =>
  existsSync(join(folder, file));

/** @throws OUTPUT_UNWRITABLE */
async function write(path: string, contents: string | Uint8Array): Promise<void> {
  try {
    await writeLasting(path, contents);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/** Begins a study. @throws STUDY_EXISTS, OUTPUT_UNWRITABLE */
export const beginFolder = (folder: string, plan: Plan): Promise<StudyFolder> =>
  beginKind(folder, plan, STUDY);

/** The same of any kind. @throws STUDY_EXISTS, OUTPUT_UNWRITABLE */
export async function beginKind<P, E extends object>(
  folder: string,
  plan: P,
  kind: FolderKind<P>,
): Promise<StudyFolder<P, E>> {
  if (holdsStudy(folder, kind)) throw fail('STUDY_EXISTS', { folder, what: 'a study' });
  try {
    createFolder(join(folder, 'images'));
  } catch (cause) {
    throw cannotWrite(folder, cause);
  }
  await write(join(folder, kind.file), `${JSON.stringify(plan, null, 2)}\n`);
  return openKind(folder, kind);
}

function readPlan<P>(folder: string, kind: FolderKind<P>): P {
  if (!holdsStudy(folder, kind)) throw fail('STUDY_MISSING', { folder });
  const path = join(folder, kind.file);
  const damaged = (reason: string, cause?: unknown) =>
    fail('STUDY_DAMAGED', { path, line: 1, reason }, { cause });
  let value: unknown;
  try {
    value = JSON.parse(readNamedFile(path).toString('utf8'));
  } catch (cause) {
    throw damaged(reasonOf(cause), cause);
  }
  const found = (value as { version?: unknown } | null)?.version;
  if (found !== VERSION)
    throw fail('STUDY_VERSION', { folder, found: JSON.stringify(found) ?? 'none', expected: VERSION });
  const parsed = kind.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: where, message } = parsed.error.issues[0]!;
  throw damaged(`${where.join('.')}: ${message}`, parsed.error);
}

/** The lines that are whole; what was cut off is taken away. @throws STUDY_DAMAGED, OUTPUT_UNWRITABLE */
function readJournal<E>(path: string): (E | Aside)[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole));
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => {
      try {
        return JSON.parse(line) as E | Aside;
      } catch (cause) {
        throw fail('STUDY_DAMAGED', { path, line: i + 1, reason: reasonOf(cause) }, { cause });
      }
    });
}

const isAside = (line: object): line is Aside => 'submitted' in line || 'scored' in line;

/** Opens a study that was begun. @throws STUDY_MISSING, STUDY_VERSION, STUDY_DAMAGED, OUTPUT_UNWRITABLE */
export const openFolder = (folder: string): StudyFolder => openKind(folder, STUDY);

/** The same of any kind. @throws as `openFolder` */
export function openKind<P, E extends object>(folder: string, kind: FolderKind<P>): StudyFolder<P, E> {
  const plan = readPlan(folder, kind);
  const journal = journalFile(folder);
  const lines = readJournal<E>(journal);
  const runs = new Map<string, string>();
  const results = new Map<string, ScoreResult>();
  const learn = (line: E | Aside): void => {
    if (!isAside(line)) return;
    if ('submitted' in line) runs.set(line.submitted, line.run);
    else results.set(line.scored, line.result);
  };
  for (const line of lines) learn(line);
  const attempt = <T>(path: string, act: () => T): T => {
    try {
      return act();
    } catch (cause) {
      throw cannotWrite(path, cause);
    }
  };
  const fd = attempt(journal, () => openSync(journal, 'a'));

  return {
    path: folder,
    plan,
    events: lines.filter((line): line is E => !isAside(line)),
    runOf: (trial) => runs.get(trial),
    resultOf: (image) => results.get(image),
    add(line) {
      const text = `${JSON.stringify(line)}\n`;
      attempt(journal, () => {
        if (writeSync(fd, text) < Buffer.byteLength(text)) throw new Error('the disk took only a part of it');
        fsyncSync(fd);
      });
      learn(line);
    },
    saveImage: (name, bytes) => write(join(folder, 'images', name), bytes),
    save: (name, contents) => write(join(folder, name), contents),
    readImage: (name) => readNamedFile(join(folder, 'images', name)),
    close: () => closeSync(fd),
  };
}
