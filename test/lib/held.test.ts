/** What several use at the same time is opened once, and closed behind the last of them. */
import { expect, it } from 'vitest';
import { Held } from '../../src/lib/held.ts';

const never = new AbortController().signal;

function counted() {
  const seen = { opened: 0, closed: 0 };
  const gate = Promise.withResolvers<void>();
  const held = new Held(
    async (signal) => {
      seen.opened++;
      signal.addEventListener('abort', () => gate.reject(signal.reason));
      await gate.promise;
      return seen.opened;
    },
    () => seen.closed++,
  );
  return { held, seen, gate };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('is opened by the first, closed behind the last, and opened again by one who comes later', async () => {
  const { held, seen, gate } = counted();
  const stay = Promise.withResolvers<void>();
  const users = [held.use(async (n) => n, never), held.use((n) => stay.promise.then(() => n), never)];
  gate.resolve();
  expect(await users[0]).toBe(1);
  await settled();
  expect(seen).toEqual({ opened: 1, closed: 0 });
  stay.resolve();
  expect(await users[1]).toBe(1);
  await settled();
  expect(seen).toEqual({ opened: 1, closed: 1 });
  expect(await held.use(async (n) => n, never)).toBe(2);
});

it('is given up when the last one leaves, and not before', async () => {
  const { held, seen } = counted();
  const [one, two] = [new AbortController(), new AbortController()];
  const users = [one, two].map(({ signal }) => held.use(async (n) => n, signal));
  one.abort('first');
  await expect(users[0]).rejects.toBe('first');
  await settled();
  expect(seen).toEqual({ opened: 1, closed: 0 });
  two.abort('second');
  await expect(users[1]).rejects.toBe('second');
  await settled();
  expect(seen).toEqual({ opened: 1, closed: 1 });
});
