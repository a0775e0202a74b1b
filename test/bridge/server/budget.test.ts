/** The byte budget by itself: who may grow, who waits, who goes on next, who is dropped. */
import { describe, expect, test, vi } from 'vitest';
import { Budget, type BudgetRules, type Parcel } from '../../../src/bridge/server/budget.ts';

const RULES: BudgetRules = {
  capacityBytes: 1000,
  smallBytes: 10,
  paceBytes: 50,
  paceMs: 10_000,
  pressedPaceMs: 1000,
  checkMs: 250,
};
const noDrop = () => {};

/** Whether a parcel that grew by `bytes` may go on at once. */
const grows = (parcel: Parcel, bytes: number): boolean => parcel.grow(bytes) === undefined;

/** What became of a wait so far. */
async function isOver(wait: Promise<void>): Promise<boolean> {
  return await Promise.race([wait.then(() => true), Promise.resolve().then(() => false)]);
}

describe('the common pool', () => {
  test('one message may hold half, and then needs a reservation, which it gets', () => {
    const budget = new Budget(RULES);
    const one = budget.open(900, noDrop);
    expect(grows(one, 500)).toBe(true);
    expect(budget.heldBytes).toBe(500);
    expect(grows(one, 1)).toBe(true);
    expect(budget.heldBytes).toBe(900);
    expect(grows(one, 399)).toBe(true);
    one.complete();
    one.release();
    expect(budget.heldBytes).toBe(0);
  });

  test.each([2, 5, 30])('%i greedy senders leave room for a newcomer', (n) => {
    const budget = new Budget({ ...RULES, capacityBytes: 100_000 });
    const greedy = Array.from({ length: n }, () => budget.open(100_000, noDrop));
    for (let round = 0; round < 6000; round++)
      for (const parcel of greedy) if (!parcel.waiter) void parcel.grow(20);
    expect(greedy.filter(({ reserved }) => reserved > 0)).toHaveLength(1);
    expect(greedy.filter(({ waiter }) => waiter)).toHaveLength(n - 1);
    const share = 100_000 / (n + 1);
    expect(grows(budget.open(share / 5, noDrop), share / 5)).toBe(true);
  });

  test('a small message always passes', () => {
    const budget = new Budget(RULES);
    const other = budget.open(500, noDrop);
    for (const bytes of [500, 400, 300]) {
      const full = budget.open(bytes, noDrop);
      void full.grow(bytes);
      full.complete();
    }
    void other.grow(400);
    expect(grows(budget.open(10, noDrop), 10)).toBe(true);
  });

  test('what was never announced is booked, too', () => {
    const budget = new Budget(RULES);
    const one = budget.open(1, noDrop);
    void one.grow(300);
    one.complete(77);
    expect(budget.heldBytes).toBe(377);
    one.release();
    one.release();
    void one.grow(5);
    expect(budget.heldBytes).toBe(0);
  });
});

describe('the reservations', () => {
  async function crowded() {
    const budget = new Budget(RULES);
    const first = budget.open(1000, noDrop);
    void first.grow(600); // reserved
    const waiting = [900, 700, 800].map((expected) => {
      const parcel = budget.open(expected, noDrop);
      const wait = parcel.grow(600)!;
      return { parcel, wait };
    });
    for (const { wait } of waiting) expect(await isOver(wait)).toBe(false);
    return { budget, first, waiting };
  }

  test('go to the one that misses least, one after the other', async () => {
    const { budget, first, waiting } = await crowded();
    const order: number[] = [];
    waiting.forEach(({ wait, parcel }) => void wait.then(() => order.push(parcel.expected)));
    first.release();
    for (let n = 1; n <= 3; n++) {
      await vi.waitFor(() => expect(order).toHaveLength(n), { timeout: 10_000 });
      waiting.find(({ parcel }) => parcel.expected === order[n - 1])!.parcel.release();
    }
    expect(order).toEqual([700, 800, 900]);
    expect(budget.heldBytes).toBe(0);
  });

  test('one that leaves while it waits holds up nobody', async () => {
    const { first, waiting } = await crowded();
    waiting[1]!.parcel.release();
    first.release();
    await waiting[2]!.wait;
    expect(await isOver(waiting[0]!.wait)).toBe(false);
  });
});

describe('the pace', () => {
  function timed() {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const dropped: string[] = [];
    const budget = new Budget(RULES);
    const open = (name: string, expected: number) =>
      budget.open(expected, ({ code }) => dropped.push(`${name} ${code}`));
    return { budget, dropped, open };
  }

  test('a silent sender is dropped after a while, one that goes on is not', () => {
    const { budget, dropped, open } = timed();
    open('silent', 900).grow(20);
    const slow = open('slow', 900);
    for (let second = 0; second < 15; second++) {
      void slow.grow(10);
      vi.advanceTimersByTime(1000);
    }
    expect(dropped).toEqual(['silent STALLED']);
    slow.complete();
    vi.advanceTimersByTime(60_000);
    expect(dropped).toHaveLength(1);
    slow.release();
    expect(budget.heldBytes).toBe(0);
    vi.useRealTimers();
  });

  test('when others wait, the stalest goes soon, and no more than must', async () => {
    const { dropped, open } = timed();
    const big = open('big', 1000);
    void big.grow(600);
    vi.advanceTimersByTime(500);
    void open('small', 300).grow(200);
    const waiter = open('waiter', 900);
    const wait = waiter.grow(600)!;
    vi.advanceTimersByTime(1000);
    await wait;
    expect(dropped).toEqual(['big STALLED']);
    vi.useRealTimers();
  });

  test('one that is not read is not late', () => {
    const { dropped, open } = timed();
    const parcel = open('paused', 900);
    void parcel.grow(20);
    parcel.pause(true);
    vi.advanceTimersByTime(60_000);
    parcel.pause(false);
    vi.advanceTimersByTime(9000);
    expect(dropped).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(dropped).toEqual(['paused STALLED']);
    vi.useRealTimers();
  });
});
