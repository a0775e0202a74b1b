/** The panel for the AUTOMATIC1111 family: what the nodes let one choose, as the arguments of one script. */
import { aspect, measure, onFailure, scorer, threshold, unsure, unsureWithinInterval } from './inputs.ts';
import type { PanelInput } from './types.ts';

/** What alwayson_scripts calls it. */
export const PANEL_TITLE = 'Assay';

/** Calls of the API pass these by their places: only ever append. */
export const PANEL: readonly PanelInput[] = [
  {
    name: 'enabled',
    label: 'Judge the images',
    row: 0,
    type: 'BOOLEAN',
    default: false,
    tooltip: 'Off: nothing is scored, and nothing is changed.',
  },
  {
    name: 'action',
    label: 'Bad images',
    row: 0,
    type: 'COMBO',
    choices: ['keep', 'drop', 'move'],
    default: 'keep',
    tooltip:
      'keep: they stay, and their text says so. drop: they are neither saved nor shown. move: to the reject bin, from where `assay rejects` brings them back.',
  },
  { ...measure, label: 'Measure', row: 1 },
  { ...threshold, label: 'Threshold', row: 1 },
  { ...aspect, label: 'Aspect', row: 2 },
  { ...unsureWithinInterval, label: 'Unsure within the interval', row: 3 },
  {
    ...unsure,
    label: 'Unsure images',
    row: 3,
    choices: ['accept', 'reject'],
    tooltip: 'What counts where it is unsure.',
  },
  {
    ...onFailure,
    label: 'Without a score',
    row: 4,
    choices: ['pass', 'stop'],
    tooltip:
      'What to do when images cannot be scored, e.g. because the daemon is not running: pass lets them go on and says so, stop makes no further ones.',
  },
  {
    name: 'keep',
    label: 'Until so many are kept',
    row: 5,
    type: 'INT',
    default: 0,
    min: 0,
    max: 4096,
    step: 1,
    tooltip: 'Ends the job when so many are accepted. 0: makes what was asked for.',
  },
  {
    name: 'at_most',
    label: 'At most so many are made',
    row: 5,
    type: 'INT',
    default: 0,
    min: 0,
    max: 4096,
    step: 1,
    tooltip: 'Goes on beyond what was asked for, up to here. 0: batch count times batch size.',
  },
  {
    name: 'vary',
    label: 'Vary the best so far',
    row: 6,
    type: 'FLOAT',
    default: 0,
    min: 0,
    max: 1,
    step: 0.01,
    tooltip:
      'Variation strength: while it looks for images to keep, every second batch varies the best one so far. 0: new seeds alone.',
  },
  { ...scorer, label: 'Scorer', row: 4 },
];
