/** How often guards tripped on the rated images, and how often without need. */

import { quantile } from '../../lib/bootstrap.ts';
import { ASPECTS } from '../../types/aspect.ts';
import type { GuardName } from '../../types/guard.ts';
import type { Rating } from '../ratings/ratings.ts';
import type { Outcome } from './pairs.ts';

export interface GuardHit {
  name: string;
  guard: GuardName;
  message: string;
  /** Rating of the first aspect that has one, as the file has it. */
  mos: number;
  falseAlarm: boolean;
}

export interface GuardTally {
  /** Images that were scored and so went past the guards. */
  checked: number;
  /** A hit is a false alarm when people rated the image above this, the lowest tenth of the set; null for no images. */
  falseAlarmAbove: number | null;
  /** Images above it: those a guard should let pass. */
  sound: number;
  /** Per guard that tripped: hits, false alarms, and the share of sound images that it hit, 0..1. */
  guards: { guard: GuardName; hits: number; falseAlarms: number; falseAlarmShare: number | null }[];
  hits: GuardHit[];
}

const LOWEST = 0.1;

const mosOf = ({ mos }: Rating): number => ASPECTS.map((a) => mos[a]).find((v) => v !== undefined)!;

/** Counts the guard hits of all images that were scored. */
export function tallyGuards(outcomes: readonly Outcome[]): GuardTally {
  const scored = outcomes.filter((o) => o.result !== null);
  const ratings = Float64Array.from(scored, (o) => mosOf(o.rating)).sort();
  const floor = scored.length ? quantile(ratings, LOWEST) : null;
  const isSound = (mos: number) => floor !== null && mos > floor;
  const hits = scored.flatMap(({ rating, result }) => {
    const mos = mosOf(rating);
    return result.guards.map((g) => ({ name: rating.name, ...g, mos, falseAlarm: isSound(mos) }));
  });
  const sound = ratings.filter(isSound).length;
  const guards = [...new Set(hits.map((h) => h.guard))].map((guard) => {
    const own = hits.filter((h) => h.guard === guard);
    const falseAlarms = own.filter((h) => h.falseAlarm).length;
    return { guard, hits: own.length, falseAlarms, falseAlarmShare: sound ? falseAlarms / sound : null };
  });
  return { checked: scored.length, falseAlarmAbove: floor, sound, guards, hits };
}
