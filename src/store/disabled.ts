/** The store of a daemon that keeps no history. */
import { fail } from '../errors/error.ts';
import { createLedger } from './ledger.ts';
import type { Store } from './store.ts';

/**
 * A store that records nothing and says so.
 *
 * @param reason for people, e.g. `it is switched off in the config`
 * @example const store = config.history ? openStore({ dataDir, log }) : disabledStore('it is switched off in the config');
 */
export const disabledStore = (reason: string): Store => ({
  record() {},
  history: async () => {
    throw fail('STORE_UNAVAILABLE', { reason });
  },
  ledger(host) {
    return createLedger(
      host,
      () => {
        throw fail('STORE_UNAVAILABLE', { reason });
      },
      Date.now,
    );
  },
  status: () => ({ state: 'off', reason, dropped: 0, recorded: 0 }),
  close: async () => {},
});
