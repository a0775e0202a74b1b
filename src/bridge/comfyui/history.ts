/** The host's history: runs that have ended, and what they made. Tolerant: what it cannot read it leaves out. */
import { z } from 'zod';
import type { HostFile, HostRun, RunImage } from '../../host.ts';
import type { PromptFound, WorkflowRef } from '../../types.ts';
import type { Http } from './http.ts';

const fileSchema = z.looseObject({
  filename: z.string().min(1),
  subfolder: z.string().catch(''),
  type: z.enum(['output', 'temp', 'input']).catch('output'),
});
const filesSchema = z.array(fileSchema.nullable().catch(null)).catch([]);
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
  outputs: z.record(z.string(), z.looseObject({ images: filesSchema.optional() }).catch({})).catch({}),
  status: z
    .looseObject({ status_str: z.string().catch('success'), messages: messagesSchema.optional() })
    .nullish(),
});
const historySchema = z.record(z.string(), entrySchema.nullable().catch(null));

type Entry = z.infer<typeof entrySchema>;
type Message = [string, Record<string, unknown>];

/** Runs asked for at a time; a history of thousands with their graphs would be one huge answer. */
const PAGE = 200;

/** Files that nodes list among their images, and that are none. */
const MOVING = /\.(mp4|webm|mkv|mov|avi|m4v|mp3|wav|flac|ogg|opus)$/i;

export interface History {
  find(id: string, signal: AbortSignal): Promise<HostRun | undefined>;
  /** The newest, or all; oldest first. */
  list(signal: AbortSignal, newest?: number): Promise<HostRun[]>;
}

/** The prompt of the images that arrive at a node. */
export type FindPrompt = (place: WorkflowRef) => PromptFound;

export function createHistory(http: Http, find?: FindPrompt): History {
  /** By id; null for an entry that could not be read. */
  async function ask(path: string, signal: AbortSignal): Promise<Map<string, HostRun | null>> {
    const entries = Object.entries(await http.getJson(path, historySchema, signal));
    return new Map(entries.map(([id, entry]) => [id, entry && runOf(id, entry, find)]));
  }

  async function all(signal: AbortSignal): Promise<Map<string, HostRun | null>> {
    const found = new Map<string, HostRun | null>();
    for (let offset = 0; ; offset += PAGE) {
      const page = await ask(`/history?max_items=${PAGE}&offset=${offset}`, signal);
      const known = found.size;
      for (const [id, run] of page) found.set(id, run);
      if (page.size < PAGE) return found;
      // A host that does not know `offset` tells the newest again and again.
      if (found.size === known) return ask('/history', signal);
    }
  }

  return {
    async find(id, signal) {
      return (await ask(`/history/${encodeURIComponent(id)}`, signal)).get(id) ?? undefined;
    },
    async list(signal, newest) {
      const runs =
        newest === undefined ? await all(signal) : await ask(`/history?max_items=${newest}`, signal);
      return inOrder([...runs.values()].filter((run) => run !== null));
    },
  };
}

/** JSON objects put keys that look like numbers first, whatever their place was; the clock tells better. */
const inOrder = (runs: HostRun[]): HostRun[] =>
  runs.every((run) => run.endedAt !== null) ? runs.toSorted((a, b) => a.endedAt! - b.endedAt!) : runs;

/** Images among what a node showed; shared by the history and by events. */
export const filesOf = (images: unknown): HostFile[] =>
  filesSchema
    .parse(images)
    .flatMap((file) => (file && !MOVING.test(file.filename) ? [file] : []))
    .map(({ filename, subfolder, type }) => ({ filename, subfolder, type }));

function runOf(id: string, entry: Entry, find?: FindPrompt): HostRun {
  const messages = (entry.status?.messages ?? []).filter((message): message is Message => message !== null);
  const failure = messages.find(([event]) => event === 'execution_error')?.[1];
  const isInterrupted = messages.some(([event]) => event === 'execution_interrupted');
  const hasSucceeded = (entry.status?.status_str ?? 'success') === 'success';
  const status = isInterrupted ? 'interrupted' : hasSucceeded ? 'success' : 'error';
  return {
    id,
    status,
    images: imagesOf(entry, cachedNodes(messages), find),
    error: status === 'error' ? errorOf(failure) : null,
    endedAt: endOf(messages),
  };
}

function imagesOf(entry: Entry, cached: ReadonlySet<string>, find?: FindPrompt): RunImage[] {
  const graph = entry.prompt[2];
  return Object.entries(entry.outputs).flatMap(([node, output]) => {
    const files = filesOf(output.images ?? []);
    if (files.length === 0) return [];
    const prompt = find?.({ graph, node }) ?? null;
    return files.map((file) => ({ ...file, node, replayed: cached.has(node), prompt }));
  });
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
