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
    hint: 'drop: neither saved nor shown. move: to the reject bin.',
  },
  {
    ...measure,
    label: 'Measure',
    hint: 'percentile: share of reference images that are worse.',
    row: 1,
  },
  {
    ...threshold,
    label: 'Threshold',
    hint: 'Worse ones are bad: 0 to 1, or a MOS.',
    row: 1,
  },
  { ...aspect, label: 'Aspect', row: 3, more: true },
  { ...unsureWithinInterval, label: 'Unsure within the interval', row: 5, more: true },
  {
    ...unsure,
    label: 'Unsure images',
    row: 5,
    more: true,
    choices: ['accept', 'reject'],
    tooltip: 'What counts where it is unsure.',
  },
  {
    ...onFailure,
    label: 'Without a score',
    hint: 'pass: they go on, and a line says so. stop: no further ones are made.',
    row: 4,
    more: true,
    choices: ['pass', 'stop'],
    tooltip:
      'What to do when images cannot be scored, e.g. because the daemon is not running: pass lets them go on and says so, stop makes no further ones.',
  },
  {
    name: 'keep',
    label: 'Until so many are kept',
    hint: '0: makes what was asked for.',
    row: 2,
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
    hint: '0: batch count times batch size.',
    row: 2,
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
    hint: 'Variation strength of every second batch. 0: new seeds alone.',
    row: 6,
    more: true,
    type: 'FLOAT',
    default: 0,
    min: 0,
    max: 1,
    step: 0.01,
    tooltip:
      'Variation strength: while it looks for images to keep, every second batch varies the best one so far. 0: new seeds alone.',
  },
  { ...scorer, label: 'Scorer', hint: 'Empty: the default of the daemon.', row: 4, more: true },
];
