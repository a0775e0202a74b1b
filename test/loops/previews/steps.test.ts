/** Which step a preview shows, in whatever order a host tells of both. */
import { describe, expect, it } from 'vitest';
import type { HostEvent } from '../../../src/host.ts';
import { Steps } from '../../../src/loops/previews/steps.ts';

const step = (value: number, node = '3', id = 'r1'): HostEvent => ({
  kind: 'progress',
  id,
  node,
  value,
  max: 3,
});
const preview = (value: number, node: string | null = '3', id = 'r1'): HostEvent => ({
  kind: 'preview',
  id,
  node,
  bytes: Uint8Array.of(value),
});
const ended = (id = 'r1'): HostEvent => ({
  kind: 'ended',
  id,
  run: { id, status: 'success', images: [], left: [], error: null, endedAt: null },
});

/** What each preview shows, and the step that it was taken for. */
const told = (steps: Steps, events: HostEvent[]) =>
  events.flatMap((event) => steps.hear(event)).map((shown) => [shown.bytes[0], shown.step, shown.of]);

const RIGHT = [
  [1, 1, 3],
  [2, 2, 3],
  [3, 3, 3],
];

describe('the step of a preview', () => {
  it.each([
    ['before it is told of', [preview(1), step(1), preview(2), step(2), preview(3), step(3), ended()]],
    ['after it is told of', [step(1), preview(1), step(2), preview(2), step(3), preview(3), ended()]],
    [
      'before, from a host that says 0 first',
      [step(0), preview(1), step(1), preview(2), step(2), preview(3), step(3)],
    ],
    [
      'before, and no node is named',
      [preview(1, null), step(1), preview(2, null), step(2), preview(3, null), step(3)],
    ],
  ])('is right when it comes %s', (_, events) => {
    expect(told(new Steps(), events)).toEqual(RIGHT);
  });

  it('is right when the first ones were not taken in time', () => {
    const ahead = new Steps();
    expect(told(ahead, [step(1), preview(2), step(2), preview(3), step(3), ended()])).toEqual([
      [2, 2, 3],
      [3, 3, 3],
    ]);
    expect(told(ahead, [preview(1, '3', 'r2'), step(1, '3', 'r2')])).toEqual([[1, 1, 3]]);
  });

  it('is kept apart by run and by node', () => {
    const steps = new Steps();
    expect(told(steps, [preview(1), step(1), preview(2)])).toEqual([[1, 1, 3]]);
    expect(told(steps, [step(1, '7', 'r2'), step(2)])).toEqual([[2, 2, 3]]);
    expect(told(steps, [preview(9, '4'), step(3)])).toEqual([]);
  });
});
