/** A policy file: the thresholds of the config, and what is done to images by their verdict. */
import { z } from 'zod';
import { readJson } from '../../config/json.ts';
import { keysAt } from '../../config/leaves.ts';
import { expectationOf, policySchema, valueAt } from '../../config.ts';
import { fail } from '../../errors/error.ts';
import type { FileAction } from '../../host.ts';
import type { Decision, Policy } from '../../types/policy.ts';

const gentle = z.enum(['keep', 'tag']).default('keep');
const action = z.enum(['keep', 'tag', 'move']).default('keep');

const actions = z.strictObject({
  accept: gentle.describe('for accepted images: keep or tag'),
  unsure: action.describe('for images in doubt: keep, tag or move'),
  reject: action.describe('for rejected images: keep, tag or move'),
});

export const policyFileSchema = z.strictObject({
  ...policySchema.shape,
  actions: actions.default(() => actions.parse({})),
});

export interface PolicyFile {
  policy: Policy;
  actions: Record<Decision, FileAction>;
}

/** The actions where no policy file is given. */
const KEEP_ALL: PolicyFile['actions'] = { accept: 'keep', unsure: 'keep', reject: 'keep' };

/** What a policy file says; without one, the policy of the config, and all files are kept. @throws as `readPolicyFile` */
export const policyFrom = (path: string | undefined, policy: Policy): PolicyFile =>
  path ? readPolicyFile(path) : { policy, actions: KEEP_ALL };

/** What such a file says. */
export const policyOf = ({ actions, ...policy }: z.output<typeof policyFileSchema>): PolicyFile => ({
  policy,
  actions,
});

/**
 * Reads a policy file.
 *
 * @throws CONFIG_UNREADABLE, CONFIG_INVALID (naming file, key, value and expectation)
 * @example { "minReward": 0.4, "actions": { "reject": "move" } }
 */
export function readPolicyFile(path: string): PolicyFile {
  const values = readJson(path);
  const parsed = policyFileSchema.safeParse(values);
  if (parsed.success) return policyOf(parsed.data);
  const issue = parsed.error.issues[0]!;
  const { key, expected } = expectationOf(issue, keysAt(policyFileSchema, issue.path) ?? []);
  const [shown, found] = key === '' ? ['the top level', JSON.stringify(values)] : [key, valueAt(values, key)];
  throw fail('CONFIG_INVALID', { source: path, key: shown, found, expected });
}
