/**
 * A study on one host, put together: the host, the folder that keeps it, the scorer, and what becomes of the images.
 */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError, fail } from './errors/error.ts';
import { readTag, tagFile } from './files/metadata/file.ts';
import { recordOf, writeScore } from './files/metadata/metadata.ts';
import { openRejectBin, type RejectBin } from './files/rejects/bin.ts';
import type { Host, InputValue, Template, Workflow } from './host.ts';
import { judge } from './judging.ts';
import { createFolder } from './lib/folder.ts';
import { version } from './lib/version.ts';
import type { PolicyFile } from './loops/policy/policy-file.ts';
import { type DriveParts, drive } from './loops/study/drive.ts';
import type { StudyFolder } from './loops/study/folder.ts';
import { missingIn } from './loops/study/measures.ts';
import { imagesOf } from './loops/study/pick.ts';
import { renderStudy } from './loops/study/report.ts';
import { createStudy, type Study } from './loops/study/study.ts';
import type { Candidate, Done, Scored, Trial } from './loops/study/types.ts';
import { earlyOf } from './previews.ts';
import type { Runtime } from './runtime.ts';
import { holderWords, takeHold } from './store/file/hold.ts';
import type { ScoreResult } from './types/result.ts';

export interface SearchParts {
  runtime: Runtime;
  host: Host;
  folder: StudyFolder;
  template: Template;
  /** Thresholds, and what is done by verdict; what they reject cannot win. */
  policy: PolicyFile;
  thumbnail(path: string): Promise<string | null>;
  /** The prompt, for people. */
  judgedBy: string;
}

export interface SearchListener extends Pick<DriveParts, 'onEvent' | 'onTold' | 'onTrouble'> {
  /** Something to know, for people; each once. */
  onNote(note: string): void;
}

/** What a study has left when it ends. */
export interface Found {
  done: Done | null;
  winners: { candidate: Candidate; path: string }[];
  report: string;
  /** What could not be done with an image, for people. */
  notes: string[];
}

export interface Search {
  readonly study: Study;
  elapsedMs(): number;
  /** @throws as `drive`, and OUTPUT_UNWRITABLE */
  run(listener: SearchListener, signal: AbortSignal): Promise<Done | null>;
  /** Writes winners and report, and with a study that is over does what the policy says to the rest. */
  finish(done: Done | null): Promise<Found>;
}

/** Keeps other processes from running the study of that folder: two would each make every trial. @throws STUDY_HELD */
export function holdStudy(folder: string): { release(): void } {
  const hold = takeHold(join(folder, 'study.lock'));
  if ('release' in hold) return hold;
  throw fail('STUDY_HELD', { folder, holder: holderWords(hold.holder) });
}

/** @throws what `createStudy` throws */
export function openSearch(parts: SearchParts): Search {
  const { folder, host } = parts;
  const study = createStudy(folder.plan.spec, folder.events);
  study.onEvent = (event) => folder.add(event);
  study.forgive();
  const before = study.trials.reduce((most, { outcome }) => Math.max(most, outcome?.elapsedMs ?? 0), 0);
  const begun = performance.now();
  const elapsedMs = () => before + performance.now() - begun;

  return {
    study,
    elapsedMs,
    async run(listener, signal) {
      const early = earlyOf({ ...parts, study, onNote: listener.onNote }, signal);
      const driven = drive(
        {
          ...listener,
          ...{ host, study, elapsedMs, early },
          workflowOf: (trial) => workflowOf(parts, trial),
          runOf: (trial) => folder.runOf(trial),
          onSubmitted: (trial, run) => folder.add({ submitted: trial.id, run }),
          judge: async (trial, index, image, bytes, stop) => {
            const made = { trial, index, image, bytes };
            return pickable(await judge({ ...parts, ...judgedBy(folder) }, made, stop), parts);
          },
        },
        signal,
      );
      return driven.finally(() => early?.close());
    },
    finish: (done) => finish(parts, study, done),
  };
}

/** The workflow of a trial: its seed, what is varied, and fewer steps for a draft. */
function workflowOf({ folder: { plan }, template }: SearchParts, trial: Trial): Workflow {
  const values: Record<string, InputValue> = { ...trial.parameters };
  for (const name of plan.seeds) values[name] = trial.seed;
  if (trial.stage.effort < 1)
    for (const name of plan.steps) {
      const whole = Number(values[name] ?? template.input(name).value);
      values[name] = Math.max(1, Math.round(whole * trial.stage.effort));
    }
  return template.with(values);
}

const judgedBy = ({ plan: { prompt, spec } }: StudyFolder) => ({ prompt, pick: spec.pick });

/** The image, unless no seed would give what it is picked by. @throws MEASURE_MISSING */
function pickable(scored: Scored, { folder }: SearchParts): Scored {
  const { pick } = folder.plan.spec;
  const result = folder.resultOf(scored.image);
  // A guard takes all values of an image, and says so by itself.
  if (!result || result.guards.length > 0) return scored;
  const measure = missingIn(pick, scored.values);
  if (measure === undefined) return scored;
  const why = result.prompt === null ? `no prompt: ${result.promptSource?.reason ?? 'none was found'}` : null;
  throw fail('MEASURE_MISSING', { measure, reason: why ?? 'the scorer does not give it' });
}

const WINNER = /^\d+-t\d+/;

async function finish(parts: SearchParts, study: Study, done: Done | null): Promise<Found> {
  const { folder, runtime, host, thumbnail } = parts;
  const place = join(folder.path, 'winners');
  createFolder(place);
  for (const old of readdirSync(place).filter((name) => WINNER.test(name))) await rm(join(place, old));
  const notes: string[] = [];
  const winners: Found['winners'] = [];
  for (const [i, candidate] of study.winners().entries()) {
    const name = `${i + 1}-${candidate.scored.image}`;
    await folder.save(join('winners', name), withScore(folder, candidate.scored.image, notes));
    winners.push({ candidate, path: join(place, name) });
  }
  const stamp = [...imagesOfStudy(study)].map((image) => folder.resultOf(image)?.scorer).find(Boolean);
  const { plan } = folder;
  const html = await renderStudy({
    ...{ study, done, notes, title: plan.workflow.file },
    facts: [
      ['host', host.url],
      ['judged by', parts.judgedBy],
      ['scorer', stamp ? `${stamp.id} ${stamp.version}, variant ${stamp.variant}` : runtime.config.scorer],
      ['strategy', JSON.stringify(plan.spec.strategy)],
      ['seed of the study', `${plan.spec.seed}`],
      ['begun', plan.begun],
    ],
    thumbnail: (image) => thumbnail(join(folder.path, 'images', image)),
  });
  await folder.save('report.html', html);
  if (done) await settleRest(parts, study, notes);
  return { done, winners, report: join(folder.path, 'report.html'), notes };
}

const imagesOfStudy = ({ trials }: Study): string[] =>
  trials.flatMap(({ outcome }) => imagesOf(outcome)).map(({ image }) => image);

/** The image with its score in it, or as it is where its format has no room for one. */
function withScore(folder: StudyFolder, image: string, notes: string[]): Uint8Array {
  const bytes = folder.readImage(image);
  const result = folder.resultOf(image);
  const record = result && recordOf(result, version);
  if (!record) return bytes;
  try {
    return writeScore(bytes, record, image);
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    notes.push(error.message);
    return bytes;
  }
}

/** Images that did not win go where the policy says. */
async function settleRest({ folder, policy, runtime, host }: SearchParts, study: Study, notes: string[]) {
  const won = new Set(study.winners().map(({ scored }) => scored.image));
  const bin = openRejectBin(runtime.config.rejectDir);
  if (Object.values(policy.actions).includes('move')) await bin.prepare();
  for (const image of imagesOfStudy(study).filter((name) => !won.has(name))) {
    const result = folder.resultOf(image);
    const action = result?.decision ? policy.actions[result.decision] : 'keep';
    if (!result || action === 'keep') continue;
    await settle({ folder, bin, image, result, action, host: host.url }).catch((error) => {
      if (!(error instanceof AssayError)) throw error;
      notes.push(error.message);
    });
  }
}

interface Settling {
  folder: StudyFolder;
  bin: RejectBin;
  image: string;
  result: ScoreResult;
  action: 'tag' | 'move';
  host: string;
}

/** Tags or moves one image; idempotent. */
async function settle({ folder, bin, image, result, action, host }: Settling): Promise<void> {
  const path = join(folder.path, 'images', image);
  if (action === 'tag') {
    const record = recordOf(result, version, new Date(folder.plan.begun));
    const isDone = (await readTag(path))?.sha256 === result.sha256;
    if (record && !isDone) await tagFile(path, record, record.sha256);
    return;
  }
  const file = {
    type: 'output',
    subfolder: folder.plan.begun.replaceAll(':', '-'),
    filename: image,
  } as const;
  const at = Date.parse(folder.plan.begun);
  const entry = { host, image: file, at, sha256: result.sha256 ?? '', result };
  if (!(await bin.holds(entry))) await bin.put(path, entry);
}
