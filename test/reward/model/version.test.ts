import { expect, it } from 'vitest';
import { newestFirst } from '../../../src/reward/model/version.ts';

it.each([
  [
    ['1.9.0', '1.10.0', '1.10.0-rc.1'],
    ['1.10.0', '1.10.0-rc.1', '1.9.0'],
  ],
  [
    ['2', '10', '1'],
    ['10', '2', '1'],
  ],
  [
    ['1.0', '1.0.1', '1'],
    ['1.0.1', '1.0', '1'],
  ],
  [
    ['1.0.0-rc.2', '1.0.0-rc.10', '1.0.0-beta'],
    ['1.0.0-rc.10', '1.0.0-rc.2', '1.0.0-beta'],
  ],
  [
    ['v2', 'v10', '3'],
    ['v10', 'v2', '3'],
  ],
  [
    ['1.02', '1.2'],
    ['1.02', '1.2'],
  ],
])('%j is ordered as %j', (given, expected) => {
  expect(given.toSorted(newestFirst)).toEqual(expected);
});
