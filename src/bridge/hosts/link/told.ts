/** What was told of one run and not yet taken by who follows it. */
import type { HostEvent } from '../../../host.ts';
import { type Bell, createBell } from '../../../lib/pause.ts';

export interface Told {
  /** Rings at every event. */
  readonly bell: Bell;
  push(event: HostEvent): void;
  /** Events since the last call. Of previews that nobody took in time the newest is left. */
  take(): HostEvent[];
}

/** Events that nobody takes: beyond it the oldest go. */
const MOST_EVENTS = 1000;

export function createTold(): Told {
  const bell = createBell();
  let events: HostEvent[] = [];
  return {
    bell,
    push(event) {
      if (event.kind === 'preview') events = events.filter((e) => e.kind !== 'preview');
      events.push(event);
      if (events.length > MOST_EVENTS) events.shift();
      bell.ring();
    },
    take() {
      const taken = events;
      events = [];
      return taken;
    },
  };
}
