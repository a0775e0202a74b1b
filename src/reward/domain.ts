/** 8 calibrate: whether an image is foreign to the scorer, by a figure that its own graph gives. Pure. */
import { apart } from '../lib/words.ts';
import type { GuardFinding } from '../types/guard.ts';
import { type RawOutputs, rowOf } from './calibrate.ts';
import type { DomainSpec } from './model/manifest.ts';

/**
 * The finding when the figure is above the manifest's limit, else null.
 *
 * @throws Error when the graph's output does not fit the manifest, or is not finite
 * @example foreignness({ distance: [9.2] }, { output: 'distance', limit: 7, reason: 'unlike any training image' })
 * // { guard: 'out-of-domain', message: 'unlike any training image (9.20; the limit is 7.00)' }
 */
export function foreignness(raw: RawOutputs, spec: DomainSpec | null): GuardFinding | null {
  if (!spec) return null;
  const value = rowOf(raw, spec.output, 1, 'domain')[0]!;
  if (value <= spec.limit) return null;
  const [found, limit] = apart(value, spec.limit);
  const figures = `${found}; the limit is ${limit}`;
  return { guard: 'out-of-domain', message: `${spec.reason} (${figures})` };
}
