/** A refinement on one host, put together: the host, the folder that keeps it, the scorer, and who proposes. */
import { join } from 'node:path';
import type { Host, HostEvent, InputValue, Template } from './host.ts';
import { judge } from './judging.ts';
import { type RefineParts, refine } from './loops/refine/drive.ts';
import type { RefineFolder } from './loops/refine/folder.ts';
import { createRefinement, type Refinement } from './loops/refine/refinement.ts';
import { renderRefinement } from './loops/refine/report.ts';
import type { Verdict } from './loops/refine/types.ts';
import { Known, type RunParts, runTrial } from './loops/study/run.ts';
import type { Trial } from './loops/study/types.ts';
import type { Runtime } from './runtime.ts';
import type { Proposer } from './types/proposer.ts';

export interface RefiningParts {
  runtime: Runtime;
  host: Host;
  folder: RefineFolder;
  template: Template;
  proposer: Proposer;
  /** Data URL of an image; null when it cannot be shown. */
  thumbnail(path: string): Promise<string | null>;
}

export interface RefiningListener extends Pick<RefineParts, 'onTold' | 'onProposed'> {
  onEvent(trial: Trial, event: HostEvent): void;
  onTrouble: RunParts['onTrouble'];
}

export interface Refining {
  readonly refinement: Refinement;
  /** @returns null when the signal ended it. @throws as `refine`, and OUTPUT_UNWRITABLE */
  run(listener: RefiningListener, signal: AbortSignal): Promise<Verdict | null>;
  /** Writes the report. @returns its path */
  finish(verdict: Verdict | null): Promise<string>;
}

const PACE = { retryMs: 500, patienceMs: 600_000 };

/** @throws what `createRefinement` throws */
export function openRefining(parts: RefiningParts): Refining {
  const { folder, host, runtime, template, proposer } = parts;
  const { plan } = folder;
  const refinement = createRefinement(plan.spec, folder.events);
  refinement.onEvent = (event) => folder.add(event);
  const times = folder.events.map((event) => ('told' in event ? event.outcome.elapsedMs : 0));
  const before = Math.max(0, ...times);
  const begun = performance.now();
  const known = new Known();
  const { prompt, by } = plan.spec;

  const workflowOf = (trial: Trial) => {
    const values: Record<string, InputValue> = {};
    for (const name of plan.inputs) values[name] = trial.prompt!;
    for (const name of plan.seeds) values[name] = trial.seed;
    return template.with(values);
  };
  const runOf = (listener: RefiningListener): RunParts => ({
    ...{ host, workflowOf },
    runOf: (trial) => folder.runOf(trial),
    onSubmitted: (trial, run) => folder.add({ submitted: trial.id, run }),
    // Always by the original, whatever the image was made from.
    judge: (trial, index, image, bytes, signal) =>
      judge({ runtime, folder, prompt, pick: [by] }, { trial, index, image, bytes }, signal),
    onEvent: (trial, event) => listener.onEvent(trial, event),
    onTrouble: (error) => listener.onTrouble(error),
  });

  return {
    refinement,
    run(listener, signal) {
      const context = { ...runOf(listener), ...PACE, known };
      return refine(
        {
          ...{ ...listener, refinement, proposer },
          make: (trial, stop) => runTrial(context, trial, stop),
          elapsedMs: () => before + performance.now() - begun,
        },
        signal,
      );
    },
    async finish(verdict) {
      const html = await renderRefinement({
        ...{ refinement, verdict, title: plan.workflow.file },
        facts: [
          ['host', host.url],
          ['proposals', proposer.name],
          ['scorer', stampOf(folder, refinement) ?? runtime.config.scorer],
          ['seed of the refinement', `${plan.spec.seed}`],
          ['begun', plan.begun],
        ],
        thumbnail: (image) => parts.thumbnail(join(folder.path, 'images', image)),
      });
      await folder.save('report.html', html);
      return join(folder.path, 'report.html');
    },
  };
}

/** Which scorer made the scores. */
function stampOf(folder: RefineFolder, refinement: Refinement): string | undefined {
  const [image] = refinement.imagesOf(refinement.variants[0]!, 0);
  const stamp = image && folder.resultOf(image.image)?.scorer;
  return stamp ? `${stamp.id} ${stamp.version}, variant ${stamp.variant}` : undefined;
}
