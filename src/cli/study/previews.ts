/** What `assay best` knows of previews before it begins: the calibration beside the workflow, and whether it fits. */
import { existsSync } from 'node:fs';
import { fail, reasonOf } from '../../errors/error.ts';
import type { HostInfo, Template } from '../../host.ts';
import { issueInWords } from '../../lib/issue.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import { type Calibration, calibrationSchema } from '../../loops/previews/calibration.ts';
import { misfitOf } from '../../loops/previews/fit.ts';
import type { Plan } from '../../loops/study/folder.ts';
import { fingerprintOf } from '../../previews.ts';
import type { Runtime } from '../../runtime.ts';
import { usage } from '../input/flags.ts';

export interface PreviewFlags {
  /** A file, or the one beside the workflow. */
  previews?: string | true;
  demand?: number;
}

/** Where `assay calibrate previews` writes, and `assay best --previews` looks. */
export const calibrationFile = (workflow: string): string =>
  `${workflow.replace(/\.json$/i, '')}.previews.json`;

const DEMAND = 0.8;
/** Share of the trials that show what the others would have come to. */
const CONTROL = 0.2;

type Pruning = Exclude<NonNullable<Plan['previews']>, { file: string }>;

const tell = (words: string) => process.stderr.write(`assay: nothing is stopped early: ${words}\n`);

/** @throws FILE_UNREADABLE, PREVIEWS_INVALID */
function readCalibration(path: string): Calibration {
  const invalid = (reason: string, cause?: unknown) => fail('PREVIEWS_INVALID', { path, reason }, { cause });
  let value: unknown;
  try {
    value = JSON.parse(readNamedFile(path).toString('utf8'));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw invalid(reasonOf(cause), cause);
  }
  const parsed = calibrationSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(issueInWords(parsed.error.issues[0]!), parsed.error);
}

/**
 * What the flags ask for; undefined where they ask for nothing, or there is nothing to go by.
 *
 * @throws USAGE, FILE_NOT_FOUND, FILE_UNREADABLE, PREVIEWS_INVALID
 */
export function pruningBy({ previews, demand }: PreviewFlags, workflow: string): Pruning | undefined {
  if (previews === undefined) {
    if (demand !== undefined) throw usage('--demand is of previews: give --previews, too');
    return undefined;
  }
  if (demand !== undefined && !(demand > 0 && demand <= 1))
    throw usage(`--demand ${demand}: write a rank correlation above 0, up to 1`);
  const path = previews === true ? calibrationFile(workflow) : previews;
  if (previews === true && !existsSync(path)) {
    tell(`there is no ${path}; \`assay calibrate previews ${workflow}\` makes it`);
    return undefined;
  }
  return { calibration: readCalibration(path), demand: demand ?? DEMAND, control: CONTROL };
}

/** The plan, without what does not fit to this host and scorer; says so. */
export function fitting(plan: Plan, template: Template, { catalog, config }: Runtime, info: HostInfo): Plan {
  const { previews, ...rest } = plan;
  if (!previews || 'file' in previews) return plan;
  const { id, version } = catalog.find(config.scorer).manifest;
  const found = {
    ...{ spec: plan.spec, host: plan.host.kind, method: info.previews ?? null, prompt: plan.prompt },
    ...{ workflow: fingerprintOf(template, plan.seeds), scorer: { id, version } },
  };
  const misfit = misfitOf(previews.calibration, found, previews.demand);
  if (misfit === null) return plan;
  tell(misfit);
  return rest;
}
