/** `assay best` on a host, and what it leaves in the folder of the study. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configOf } from '../../src/cli/open.ts';
import type { Given } from '../../src/cli/study/start.ts';
import { hostOf } from '../../src/cli/watch/options.ts';
import type { Template } from '../../src/host.ts';
import type { Outcome, StudyEvent, Trial } from '../../src/loops/study/types.ts';
import type { Graph } from './comfyui/graphs.ts';
import { sink } from './comfyui/graphs.ts';
import { tempFolder } from './files.ts';
import { writeModel } from './models.ts';

/** A picture that follows from its seed, in `steps` × `ms`. */
export const seeded = (
  changes: { seed?: unknown; steps?: number; ms?: number; message?: string } = {},
): Graph => {
  const { seed = 1, steps = 2, ms = 1 } = changes;
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: 1, color: 0x4080c0 } },
    '2': { class_type: 'AssayTestSteps', inputs: { image: ['1', 0], steps, ms } },
    '3': { class_type: 'ImageAddNoise', inputs: { image: ['2', 0], seed, strength: 0.3 } },
    '9': sink('output', ['3', 0], 'best'),
  };
};

/** A picture whose brightness follows from its seed, and from whether its prompt speaks of light. */
export const prompted = (text: string): Graph => ({
  '4': { class_type: 'CLIPTextEncode', inputs: { text } },
  '5': { class_type: 'KSampler', inputs: { seed: 1, positive: ['4', 0] } },
  '6': { class_type: 'VAEDecode', inputs: { samples: ['5', 0] } },
  '9': sink('output', ['6', 0], 'refine'),
});

/** A picture that follows from its seed, and previews that are more like it the later they come. */
export const sampled = (changes: { steps?: number; ms?: number; count?: number } = {}): Graph => {
  const { steps = 10, ms = 1, count = 1 } = changes;
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: 64, height: 64, batch_size: count, color: 0x4080c0 } },
    '3': { class_type: 'ImageAddNoise', inputs: { image: ['1', 0], seed: 1, strength: 0.3 } },
    '2': { class_type: 'AssayTestSteps', inputs: { image: ['3', 0], steps, ms } },
    '9': sink('output', ['2', 0], 'sampled'),
  };
};

/** What plans are made of. */
export const givenBy = <Flags>(
  flags: Flags,
  template: Template,
  file: string,
  text: string,
): Given<Flags> => ({
  ...{ flags, template, file, text },
  target: hostOf(configOf({}), {}),
});

export interface Bench {
  folder: string;
  /** Of the study. */
  out: string;
  /** `assay best` with the workflow, for that host. */
  workflow: string;
  args(url: string, ...more: string[]): string[];
  /** The same, going on. */
  again(url: string): string[];
}

/** A workflow file, a model that scores brightness, and a place for the study. */
export const studyBench = (graph: object = seeded(), command = 'best', kind = 'comfyui'): Bench =>
  benchIn(tempFolder(), graph, command, kind);

/** The same in a folder of the caller's. @param command with its subcommand */
export function benchIn(folder: string, graph: object, command: string, kind = 'comfyui'): Bench {
  const [out, workflow, models] = ['study', 'workflow.json', 'models'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(workflow, JSON.stringify(graph));
  writeModel(models);
  const words = command.split(' ');
  const scorer = ['--models', models, '--scorer', 'test-bright', '--data-dir', join(folder, 'data')];
  const common = (url: string) => [`--${kind}`, url, '--out', out, '--format', 'jsonl', ...scorer];
  return {
    ...{ folder, out, workflow },
    args: (url, ...more) => [...words, workflow, ...common(url), '--seed', '7', ...more],
    again: (url) => [...words, '--resume', ...common(url)],
  };
}

/** Lines of a study's journal. */
export const journalOf = (out: string): StudyEvent[] =>
  readFileSync(join(out, 'journal.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as StudyEvent);

/** The outcomes that a study was told, by trial. */
export const toldIn = (out: string): [string, Outcome][] =>
  journalOf(out).flatMap((event) =>
    'told' in event ? [[event.told, event.outcome] as [string, Outcome]] : [],
  );

export const askedIn = (out: string): Trial[] =>
  journalOf(out).flatMap((event) => ('asked' in event ? event.asked : []));

export const winnersIn = (out: string): string[] => readdirSync(join(out, 'winners')).toSorted();
