/** `assay calibrate previews`: measures what the previews of a workflow tell of its images. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '../config.ts';
import { AssayError, fail, reasonOf } from '../errors/error.ts';
import { LEAST_CLUSTERS } from '../lib/bootstrap.ts';
import { policyFrom } from '../loops/policy/policy-file.ts';
import { type Calibration, type Point, usablePoints } from '../loops/previews/calibration.ts';
import type { StudyFolder } from '../loops/study/folder.ts';
import { calibrationOf } from '../previews.ts';
import { planOf } from './best/plan.ts';
import type { BestFormat } from './best/told.ts';
import { type ScorerFlags, usage } from './input/flags.ts';
import { configOf, tellNotes } from './open.ts';
import { calibrationFile } from './study/previews.ts';
import { newStudy, searchOn, studyAgain } from './study/search.ts';
import { onHost, type Start } from './study/session.ts';
import { givenBy, type StartFlags } from './study/start.ts';
import { table } from './terminal/table.ts';

export interface CalibrateFlags extends ScorerFlags, StartFlags {
  images?: number;
  by?: string;
  prompt?: string;
  seed?: number;
  format: BestFormat;
}

const KIND = { noun: 'calibration', own: ['images', 'by', 'prompt', 'seed'] };
const IMAGES = 40;
/** What `assay best` demands unless told otherwise. */
const DEMAND = 0.8;

async function begin(
  config: Config,
  file: string | undefined,
  flags: CalibrateFlags,
): Promise<Start<StudyFolder>> {
  const given = await givenBy(config, file, flags, KIND);
  const { images = IMAGES, by = 'reward', prompt, seed } = flags;
  if (images < LEAST_CLUSTERS)
    throw usage(`--images ${images}: it takes at least ${LEAST_CLUSTERS} to measure`);
  if (/[.,]/.test(by)) throw usage(`--by ${by}: name one measure, of the scorer that --scorer names`);
  const plan = planOf({
    ...given,
    flags: { images, by, ...(prompt !== undefined && { prompt }), ...(seed !== undefined && { seed }) },
  });
  return newStudy(given, flags, plan, 'calibrate', (_, { previews: method = null }) => ({
    ...plan,
    previews: { file: resolve(calibrationFile(given.file)), method },
  }));
}

/** Writes what was measured into the folder and beside the workflow, and tells it. */
async function conclude(folder: StudyFolder, found: Calibration, format: BestFormat): Promise<void> {
  const { previews } = folder.plan;
  if (!previews || !('file' in previews)) return;
  const text = `${JSON.stringify(found)}\n`;
  await folder.save('previews.json', text);
  await writeFile(previews.file, text).catch((cause) => {
    throw fail('OUTPUT_UNWRITABLE', { output: previews.file, reason: reasonOf(cause) }, { cause });
  });
  process.stdout.write(
    format === 'jsonl'
      ? `${JSON.stringify({ calibration: previews.file, ...summary(found) })}\n`
      : words(found),
  );
  if (format === 'text') process.stdout.write(`\ncalibration: ${previews.file}\n`);
}

const summary = ({ images, subject, points }: Calibration) => ({
  ...{ images, subject },
  points: points.map(({ scores, ...point }) => ({ ...point, images: scores.length })),
});

function words(found: Calibration): string {
  const usable = new Set(usablePoints(found, DEMAND));
  const { by, scorer, method } = found.subject;
  const number = (value: number | null) => (value === null ? '–' : value.toFixed(2));
  const columns = [
    { title: 'step', value: ({ step, of }: Point) => `${step}/${of}`, align: 'right' as const },
    { title: 'node', value: ({ node }: Point) => node },
    {
      title: 'done',
      value: ({ share }: Point) => `${Math.round(share * 100)} %`,
      align: 'right' as const,
    },
    { title: 'images', value: ({ scores }: Point) => `${scores.length}`, align: 'right' as const },
    { title: 'SRCC', value: ({ srcc }: Point) => number(srcc), align: 'right' as const },
    {
      title: '95 % interval',
      value: ({ interval }: Point) => (interval ? `${number(interval[0])} to ${number(interval[1])}` : '–'),
    },
    { title: '', value: (point: Point) => (usable.has(point) ? `fit for --demand ${DEMAND}` : '') },
  ];
  const head = `How previews (${method ?? 'method unknown'}) rank against ${found.images} finished images, by ${by} of ${scorer.id} ${scorer.version}:`;
  return `\n${head}\n${table(found.points, columns, process.stdout)}`;
}

/** Exit code 0; 3 when trials failed; 130 when Ctrl-C stopped it: what was made by then is measured, if it is enough. */
export async function calibratePreviews(file: string | undefined, flags: CalibrateFlags): Promise<number> {
  const config = configOf(flags);
  tellNotes(config);
  const start = flags.resume ? await studyAgain(config, file, flags, KIND) : await begin(config, file, flags);
  const policy = policyFrom(start.target.settings.policyFile, config.policy);
  const { template } = start;
  return onHost(config, start, async (session) => {
    const { folder, signal } = session;
    const { code, study } = await searchOn({ ...session, config, template, policy, format: flags.format });
    try {
      await conclude(folder, calibrationOf(folder, study, template), flags.format);
    } catch (error) {
      if (!signal.aborted || !(error instanceof AssayError)) throw error;
    }
    return code;
  });
}
