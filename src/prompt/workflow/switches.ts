/** Which input a switch lets through. */

import type { Reader } from './family.ts';
import { asLink } from './graph.ts';
import { notKnown } from './search.ts';

/** The first that is connected. */
export const first =
  (pattern: RegExp) =>
  (read: Reader): string | null =>
    read
      .names(pattern)
      .find((name) => asLink(read.node.inputs[name]) || typeof read.node.inputs[name] === 'string') ?? null;

/** A number behind a stem: `input` and 2 are `input2`. */
export const numbered =
  (selector: string, ...stems: string[]) =>
  (read: Reader): string | null => {
    const number = Number(read.value(selector));
    if (!Number.isInteger(number)) throw notKnown(read.node, 'which input it lets through is not known');
    return stems.map((stem) => `${stem}${number}`).find((name) => name in read.node.inputs) ?? null;
  };

const isOn = (value: unknown): boolean | undefined => {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'string' && /^(true|yes|on|1)$/i.test(value)) return true;
  return typeof value === 'string' && /^(false|no|off|0)$/i.test(value) ? false : undefined;
};

export const either =
  (selector: string, whenTrue: string, whenFalse: string) =>
  (read: Reader): string | null => {
    const on = isOn(read.value(selector));
    if (on === undefined) throw notKnown(read.node, 'which input it lets through is not known');
    return on ? whenTrue : whenFalse;
  };

const SELECTOR =
  /^(?:select|selected|index|input|switch|boolean|bool|condition|cond|selector|choice|value|toggle|enable|enabled|on|state|use_[a-z0-9_]+|num|number)$/i;
const YES = /(?:^|_)(?:true|yes|on|then|a|1)$/i;
const NO = /(?:^|_)(?:false|no|off|else|b|2)$/i;

/** A switch of an unknown pack, by what its inputs are called. */
export function guessed(read: Reader): string | null {
  const branches = read.names(/./).filter((name) => asLink(read.node.inputs[name]) && !SELECTOR.test(name));
  if (branches.length === 1) return branches[0]!;
  const selector = read.names(SELECTOR)[0];
  const value = selector === undefined ? undefined : read.value(selector);
  const on = typeof value === 'number' && branches.length > 2 ? undefined : isOn(value);
  if (on !== undefined && typeof value !== 'number')
    return branches.find((name) => (on ? YES : NO).test(name)) ?? lost(read);
  if (typeof value === 'number' || /^\d+$/.test(String(value)))
    return branches.find((name) => Number(/\d+$/.exec(name)?.[0]) === Number(value)) ?? lost(read);
  return branches.find((name) => name === value) ?? lost(read);
}

function lost(read: Reader): never {
  throw notKnown(read.node, 'which input it lets through is not known');
}
