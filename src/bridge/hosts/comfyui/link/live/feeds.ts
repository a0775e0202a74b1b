/** Sorts the frames of the live channel by run, and keeps them until the run is followed. */
import type { HostEvent, HostWarnings } from '../../../../../host.ts';
import type { Bell } from '../../../../../lib/pause.ts';
import { createTold } from '../../../link/told.ts';
import { eventOf, isEnd } from './events.ts';
import type { Frame } from './frames.ts';
import type { LiveEvent } from './live.ts';

/** What was heard of one run. */
export interface Feed {
  /** Rings at every event, and when the channel is lost or comes back. */
  readonly bell: Bell;
  /** Whether the host said that the run is over. How it ended, the history tells. */
  readonly isOver: boolean;
  /** Whether something happened that asks for a look at the history. Asking resets it. */
  takeHurry(): boolean;
  /** Events since the last call. Of previews that nobody took in time the newest is left. */
  take(): HostEvent[];
}

export interface Feeds {
  /** The feed of a run; begins it when there is none. */
  of(id: string): Feed;
  drop(id: string): void;
  hear(event: LiveEvent): void;
}

/** Runs that are submitted and not yet followed: beyond it the oldest go. */
const MOST_FEEDS = 1000;

/** Events that say where the host is at. */
const POSITIONS = new Set(['executing', 'progress']);

const textIn = (value: unknown): string | null => (typeof value === 'string' ? value : null);

interface OpenFeed extends Feed {
  push(event: HostEvent): void;
  hurry(isOver: boolean): void;
}

function createFeed(): OpenFeed {
  const { bell, take, push } = createTold();
  let [isOver, isUrgent] = [false, false];
  return {
    ...{ bell, take, push },
    get isOver() {
      return isOver;
    },
    takeHurry() {
      const was = isUrgent;
      isUrgent = false;
      return was;
    },
    hurry(over) {
      isOver ||= over;
      isUrgent = true;
      bell.ring();
    },
  };
}

/** @param warnings counted up here */
export function createFeeds(warnings: HostWarnings): Feeds {
  const feeds = new Map<string, OpenFeed>();
  /** What the host works on, for previews that do not say whose they are. */
  const now: { prompt: string | null; node: string | null } = { prompt: null, node: null };

  function hearEvent(type: string, data: Record<string, unknown>): void {
    const id = textIn(data.prompt_id) ?? now.prompt;
    if (POSITIONS.has(type)) Object.assign(now, { prompt: id, node: textIn(data.node) });
    const feed = id === null ? undefined : feeds.get(id);
    if (!feed || id === null) return;
    const event = eventOf(type, id, data);
    if (event) feed.push(event);
    if (isEnd(type, data)) feed.hurry(true);
  }

  function hearPreview({ prompt, node, bytes }: Extract<Frame, { kind: 'preview' }>): void {
    const id = prompt ?? now.prompt;
    if (id !== null) feeds.get(id)?.push({ kind: 'preview', id, node: node ?? now.node, bytes });
  }

  function hearGap(): void {
    Object.assign(now, { prompt: null, node: null });
    for (const feed of feeds.values()) feed.hurry(false);
  }

  return {
    of(id) {
      const feed = feeds.get(id) ?? createFeed();
      feeds.set(id, feed);
      if (feeds.size > MOST_FEEDS) feeds.delete(feeds.keys().next().value!);
      return feed;
    },
    drop: (id) => void feeds.delete(id),
    hear(event) {
      if (event.kind === 'event') hearEvent(event.type, event.data);
      else if (event.kind === 'preview') hearPreview(event);
      else if (event.kind === 'malformed') warnings.malformedFrames++;
      else if (event.kind === 'unknown') warnings.unknownFrames++;
      else if (event.kind === 'lost' || event.kind === 'open') hearGap();
    },
  };
}
