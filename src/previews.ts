/** Previews of a search on a host: what they tell of the images is measured, or trials are stopped early by it. */
import { createHash } from 'node:crypto';
import { fail } from './errors/error.ts';
import type { InputValue, Template } from './host.ts';
import { lookAt } from './judging.ts';
import { LEAST_CLUSTERS } from './lib/bootstrap.ts';
import { version } from './lib/version.ts';
import { type Calibration, pointsOf, type Sampler } from './loops/previews/calibration.ts';
import { Collector } from './loops/previews/collector.ts';
import type { Early } from './loops/previews/early.ts';
import { Pruner } from './loops/previews/pruner.ts';
import type { Plan, StudyFolder } from './loops/study/folder.ts';
import { imagesOf } from './loops/study/pick.ts';
import type { Study } from './loops/study/study.ts';
import type { Runtime } from './runtime.ts';

/** JSON with the keys in order, also of numbers that JSON in JavaScript cannot hold. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `${value}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join()}}`;
}

/** Hex sha256 of a workflow, whatever its seeds. */
export function fingerprintOf(template: Template, seeds: readonly string[]): string {
  const values: Record<string, InputValue> = Object.fromEntries(seeds.map((name) => [name, 0]));
  return createHash('sha256')
    .update(canonical(template.with(values)))
    .digest('hex');
}

export interface EarlyParts {
  runtime: Runtime;
  folder: StudyFolder;
  study: Study;
  onNote(note: string): void;
}

/** Whoever looks at the previews of a study; nobody, where its plan has nothing of them. */
export function earlyOf(
  { runtime, folder, study, onNote }: EarlyParts,
  signal: AbortSignal,
): Early | undefined {
  const { previews } = folder.plan;
  if (!previews) return undefined;
  if ('file' in previews)
    return new Collector(study, (image, trial, bytes, stop) =>
      lookAt(runtime, folder.resultOf(image)?.prompt ?? null, trial, bytes, stop),
    );
  return new Pruner({
    ...{ study, onNote, signal, pruning: previews },
    look: (trial, bytes, stop) => lookAt(runtime, previews.calibration.subject.prompt, trial, bytes, stop),
    isIdle() {
      const { waiting, running } = runtime.load();
      return waiting + running === 0;
    },
  });
}

/** What was measured in a study. @throws PREVIEWS_FEW */
export function calibrationOf(folder: StudyFolder, study: Study, template: Template): Calibration {
  const { plan } = folder;
  const by = plan.spec.pick[0]!;
  const seen = study.trials.filter(
    ({ previews, outcome }) => previews && typeof imagesOf(outcome)[0]?.values[by] === 'number',
  );
  const points = pointsOf(study.trials, by);
  if (seen.length < LEAST_CLUSTERS || points.length === 0)
    throw fail('PREVIEWS_FEW', { images: seen.length, least: LEAST_CLUSTERS, measure: by });
  const { size } = seen[0]!.previews![0]!;
  const result = folder.resultOf(imagesOf(seen[0]!.outcome)[0]!.image)!;
  const { id, version: scorerVersion, weights } = result.scorer!;
  return {
    ...{ version: 1, assay: version, made: new Date().toISOString(), file: plan.workflow.file },
    subject: {
      ...{ workflow: fingerprintOf(template, plan.seeds), host: plan.host.kind, method: methodOf(plan) },
      ...{ scorer: { id, version: scorerVersion, weights }, by, prompt: result.prompt },
      size: [size![0], size![1]],
    },
    ...{ images: seen.length, samplers: samplersOf(study), points },
  };
}

const methodOf = ({ previews }: Plan): string | null =>
  previews && 'file' in previews ? previews.method : null;

/** Those of the first trial whose previews came from its beginning to its end. */
function samplersOf({ trials }: Study): Sampler[] {
  const rows = trials.map(({ previews = [] }) => previews).toSorted((a, b) => b.length - a.length);
  const steps = new Map(rows[0]!.map(({ node, of }) => [node, of]));
  return [...steps].map(([node, of]) => ({ node, steps: of }));
}
