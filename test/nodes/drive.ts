/** Runs workflows on a real ComfyUI and looks at what came of them. */
import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { TestHost } from '../support/test-host.ts';
import type { Graph } from './graphs.ts';

export interface Entry {
  status: { status_str: string; messages: [string, Record<string, unknown>][] };
  outputs: Record<string, { images?: { filename: string }[]; text?: string[]; assay?: { label: string }[] }>;
}

export async function call<T>(host: TestHost, path: string, body?: object): Promise<T> {
  const response = await fetch(`${host.url}${path}`, {
    signal: AbortSignal.timeout(10_000),
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return (text ? JSON.parse(text) : {}) as T;
}

export async function submit(host: TestHost, prompt: Graph, client?: string): Promise<string> {
  const body = { prompt, prompt_id: randomUUID(), client_id: client };
  return (await call<{ prompt_id: string }>(host, '/prompt', body)).prompt_id;
}

export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what} did not happen`);
}

export const ended = (host: TestHost, id: string): Promise<Entry> =>
  until(`the end of ${id}`, async () => (await call<Record<string, Entry>>(host, `/history/${id}`))[id]);

export const run = async (host: TestHost, graph: Graph): Promise<Entry> =>
  ended(host, await submit(host, graph));

export const saved = (host: TestHost, prefix: string): string[] =>
  readdirSync(host.outputDir)
    .filter((name) => name.startsWith(prefix))
    .toSorted();

export const pixels = (host: TestHost, name: string): Promise<Buffer> =>
  sharp(join(host.outputDir, name)).raw().toBuffer();
