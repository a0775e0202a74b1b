/** `--min` and `--policy`: what is demanded of an image. */
import { decide, policyOf } from '../../loops/policy/policy.ts';
import { readPolicyFile } from '../../loops/policy/policy-file.ts';
import type { Known } from '../../reward/model/catalog.ts';
import { ASPECTS, type Aspect } from '../../types/aspect.ts';
import type { Policy } from '../../types/policy.ts';
import type { ScoreResult } from '../../types/result.ts';
import { type Sort, usage } from '../input/flags.ts';

const NO_DEMANDS: Policy = { aspects: {}, unsureWithinInterval: false };
const MIN = /^\s*(\w+)\s*=\s*(\d+(?:\.\d+)?|\.\d+)\s*(%?)\s*$/;

export interface Demands {
  /** The policy that decides. */
  policy: Policy;
  /** Whether an image meets every `--min`; a failed one is always shown. */
  isShown(result: ScoreResult): boolean;
  /** What of the policy file is not done here, for people. */
  notes: string[];
}

const isAspect = (name: string): name is Aspect => (ASPECTS as readonly string[]).includes(name);

/** One `--min`, put on top of others. @throws USAGE */
function withMin(policy: Policy, text: string): Policy {
  const [, name, digits, percent] = MIN.exec(text.toLowerCase()) ?? [];
  const wrong = (expected: string) => usage(`--min ${text}: expected ${expected}`);
  if (name === undefined) throw wrong('quality=2.5, quality=30% (a percentile) or reward=0.4');
  const value = Number(digits);
  if (percent && value > 100) throw wrong('a percentile of at most 100 %');
  if (name === 'reward' && (percent || value > 1)) throw wrong('a reward from 0 to 1');
  if (name === 'reward') return { ...policy, minReward: value };
  if (!isAspect(name)) throw wrong(`one of ${[...ASPECTS, 'reward'].join(', ')}`);
  const demand = percent ? { minPercentile: value / 100 } : { minScore: value };
  return { ...policy, aspects: { ...policy.aspects, [name]: { ...policy.aspects[name], ...demand } } };
}

/** A demand that no image can meet is a slip. @throws USAGE */
function checkDemands({ aspects: demanded }: Policy, { id, aspects }: Known['manifest']): void {
  for (const aspect of ASPECTS) {
    const demand = demanded[aspect];
    if (!demand) continue;
    const spec = aspects[aspect];
    if (!spec) throw usage(`--min ${aspect}: scorer ${id} does not predict it`);
    const [low, high] = spec.range;
    const { minScore } = demand;
    if (minScore !== undefined && (minScore > high || minScore < low))
      throw usage(
        `--min ${aspect}=${minScore}: scores go from ${low} to ${high}; for a percentile write ${aspect}=${minScore}%`,
      );
  }
}

/** @throws USAGE for an order that no image has a place in */
function checkSort(sort: Sort | undefined, { id, aspects }: Known['manifest']): void {
  if (sort !== undefined && isAspect(sort) && !aspects[sort])
    throw usage(`--sort ${sort}: scorer ${id} does not predict it`);
}

function unapplied(path: string, actions: Record<string, string>): string[] {
  const asked = Object.entries(actions).filter(([, action]) => action !== 'keep');
  if (asked.length === 0) return [];
  const list = asked.map(([verdict, action]) => `${verdict}: ${action}`).join(', ');
  return [
    `${path}: its actions (${list}) are for \`assay watch\`; here --move-rejects moves and --write-metadata tags`,
  ];
}

/**
 * @param base policy of the config, where no file is given
 * @throws USAGE, CONFIG_UNREADABLE, CONFIG_INVALID
 */
export function demandsOf(
  { min = [], policy: file, sort }: { min?: string[]; policy?: string; sort?: Sort },
  base: Policy,
  manifest: Known['manifest'],
): Demands {
  const read = file === undefined ? undefined : readPolicyFile(file);
  const least = min.reduce(withMin, NO_DEMANDS);
  checkDemands(least, manifest);
  checkSort(sort, manifest);
  return {
    policy: min.reduce(withMin, read?.policy ?? policyOf(base, manifest.policy)),
    isShown: (result) =>
      min.length === 0 ||
      !result.aspects ||
      decide({ ...result, aspects: result.aspects }, least).decision === 'accept',
    notes: read ? unapplied(file!, read.actions) : [],
  };
}
