/** The host's history: runs that have ended, and what they made. Tolerant: what it cannot read it leaves out. */
import { z } from 'zod';
import type { HostRun } from '../../../../host.ts';
import type { FindPrompt } from '../../kind.ts';
import type { Http } from '../../link/http.ts';
import { makerOf } from '../workflow/maker.ts';
import { createPages, type Page } from './pages.ts';
import { shownBy } from './shown.ts';

const messagesSchema = z
  .array(
    z
      .tuple([z.string(), z.looseObject({})])
      .nullable()
      .catch(null),
  )
  .catch([]);
const entrySchema = z.looseObject({
  /** `[number, id, graph, …]` */
  prompt: z.array(z.unknown()).catch([]),
  outputs: z.record(z.string(), z.unknown()).catch({}),
  status: z
    .looseObject({ status_str: z.string().catch('success'), messages: messagesSchema.optional() })
    .nullish(),
});
const historySchema = z.record(z.string(), entrySchema.nullable().catch(null));

type Entry = z.infer<typeof entrySchema>;
type Message = [string, Record<string, unknown>];

export interface History {
  find(id: string, signal: AbortSignal): Promise<HostRun | undefined>;
  /** The newest, or all; oldest first. Of the newest there may be fewer than asked for where runs are large. */
  list(signal: AbortSignal, newest?: number): Promise<HostRun[]>;
}

/** @param onTooLarge a run that no answer can hold was passed over */
export function createHistory(
  http: Http,
  maxBytes: number,
  find?: FindPrompt,
  onTooLarge = () => {},
): History {
  /** By id; null for an entry that could not be read. */
  async function ask(path: string, limit: number, signal: AbortSignal): Promise<Page<HostRun>> {
    const entries = Object.entries(await http.getJsonWithin(path, historySchema, limit, signal));
    return new Map(entries.map(([id, entry]) => [id, entry && runOf(id, entry, find)]));
  }
  const pages = createPages({ ask, maxBytes, url: http.url, onTooLarge });

  return {
    async find(id, signal) {
      const path = `/history/${encodeURIComponent(id)}`;
      return (await pages.one(path, signal)).get(id) ?? undefined;
    },
    async list(signal, newest) {
      const runs = newest === undefined ? await pages.all(signal) : await pages.newest(newest, signal);
      return inOrder([...runs.values()].filter((run) => run !== null));
    },
  };
}

/** JSON objects put keys that look like numbers first, whatever their place was; the clock tells better. */
const inOrder = (runs: HostRun[]): HostRun[] =>
  runs.every((run) => run.endedAt !== null) ? runs.toSorted((a, b) => a.endedAt! - b.endedAt!) : runs;

function runOf(id: string, entry: Entry, find?: FindPrompt): HostRun {
  const messages = (entry.status?.messages ?? []).filter((message): message is Message => message !== null);
  const failure = messages.find(([event]) => event === 'execution_error')?.[1];
  const isInterrupted = messages.some(([event]) => event === 'execution_interrupted');
  const hasSucceeded = (entry.status?.status_str ?? 'success') === 'success';
  const status = isInterrupted ? 'interrupted' : hasSucceeded ? 'success' : 'error';
  return {
    id,
    status,
    ...filesOf(entry, cachedNodes(messages), find),
    error: status === 'error' ? errorOf(failure) : null,
    endedAt: endOf(messages),
  };
}

function filesOf(
  entry: Entry,
  cached: ReadonlySet<string>,
  find?: FindPrompt,
): Pick<HostRun, 'images' | 'left'> {
  const graph = entry.prompt[2];
  const told = Object.entries(entry.outputs).map(([node, output]) => ({ node, ...shownBy(output) }));
  return {
    left: told.flatMap(({ node, left }) => left.map((file) => ({ ...file, node }))),
    images: told.flatMap(({ node, files }) => {
      if (files.length === 0) return [];
      const about = { maker: makerOf(graph, node), prompt: find?.({ graph, node }) ?? null };
      return files.map((file) => ({ ...file, node, replayed: cached.has(node), ...about }));
    }),
  };
}

/** Nodes that the host did not run again: their files are older. */
function cachedNodes(messages: Message[]): Set<string> {
  const nodes = messages.find(([event]) => event === 'execution_cached')?.[1].nodes;
  return new Set(Array.isArray(nodes) ? nodes.map(String) : []);
}

function errorOf(failure: Record<string, unknown> | undefined): string {
  if (!failure) return 'the host does not say why';
  const { node_id, node_type, exception_message } = failure;
  return `node ${node_id} (${node_type}): ${String(exception_message ?? '').trim()}`;
}

function endOf(messages: Message[]): number | null {
  const timestamp = messages.at(-1)?.[1].timestamp;
  return typeof timestamp === 'number' ? timestamp : null;
}
