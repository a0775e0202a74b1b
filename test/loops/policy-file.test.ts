import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPolicyFile } from '../../src/loops/policy-file.ts';
import { tempFolder } from '../support/files.ts';

function written(text: string): string {
  const path = join(tempFolder(), 'policy.json');
  writeFileSync(path, text);
  return path;
}

describe('a policy file', () => {
  it('gives thresholds and actions; what it does not say stays as it is', () => {
    const path = written(
      JSON.stringify({
        aspects: { quality: { minPercentile: 0.2 } },
        minReward: 0.3,
        actions: { reject: 'move' },
      }),
    );
    expect(readPolicyFile(path)).toEqual({
      policy: { aspects: { quality: { minPercentile: 0.2 } }, minReward: 0.3, unsureWithinInterval: false },
      actions: { accept: 'keep', unsure: 'keep', reject: 'move' },
    });
    expect(readPolicyFile(written('{}')).actions).toEqual({ accept: 'keep', unsure: 'keep', reject: 'keep' });
  });

  it.each([
    ['{"actions": {"accept": "move"}}', 'actions.accept is "move"; expected'],
    ['{"actions": {"reject": "delete"}}', 'actions.reject is "delete"; expected'],
    [
      '{"actions": {"rejcet": "move"}}',
      'actions.rejcet is "move"; expected a known key (did you mean "reject"?)',
    ],
    ['{"minRewards": 1}', 'minRewards is 1; expected a known key (did you mean "minReward"?)'],
    ['{"minReward": 2}', 'minReward is 2; expected'],
    ['{"aspects": {"quality": {"min": 2}}}', 'aspects.quality.min is 2; expected a known key'],
    [
      '{"aspects": {"beauty": {}}}',
      'aspects.beauty is {}; expected a known key (known keys: quality, alignment, authenticity)',
    ],
    ['{"aspects": {"qualty": {}}}', 'did you mean "quality"?'],
    ['[]', 'the top level is []; expected object'],
  ])('%s is refused: %s', (text, message) => {
    const path = written(text);
    const found = (() => {
      try {
        return readPolicyFile(path);
      } catch (error) {
        return error;
      }
    })();
    expect(found).toMatchObject({ code: 'CONFIG_INVALID' });
    expect((found as Error).message).toContain(message);
    expect((found as Error).message).toContain(path);
  });

  it.each(['{', '', '{"aspects": {"__proto__": {"minScore": 4}}}'])(
    'that is no JSON (%j) is named',
    (text) => {
      const path = written(text);
      expect(() => readPolicyFile(path)).toThrow(expect.objectContaining({ code: 'CONFIG_UNREADABLE' }));
    },
  );

  it('that is missing is named', () => {
    expect(() => readPolicyFile('/nowhere/policy.json')).toThrow(/\/nowhere\/policy\.json/);
  });
});
