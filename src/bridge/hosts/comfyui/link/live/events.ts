/** What an event of the live channel means for the run that it names. */
import type { HostEvent } from '../../../../../host.ts';
import { shownBy } from '../shown.ts';

type Data = Record<string, unknown>;

/** Whether the run is over. A blocked output is told as an error, too, and the run goes on. */
export function isEnd(type: string, data: Data): boolean {
  if (type === 'executing') return data.node === null;
  if (type === 'execution_error') return data.exception_type !== 'ExecutionBlocked';
  return type === 'execution_success' || type === 'execution_interrupted';
}

/** Undefined for what nobody follows. */
export function eventOf(type: string, id: string, data: Data): HostEvent | undefined {
  if (type === 'execution_start') return { kind: 'started', id };
  const { node } = data;
  if (typeof node !== 'string') return undefined;
  if (type === 'executing') return { kind: 'node', id, node };
  if (type === 'progress') return progressOf(id, node, data);
  if (type === 'executed') return imagesOf(id, node, data.output);
  return undefined;
}

function progressOf(id: string, node: string, { value, max }: Data): HostEvent | undefined {
  if (typeof value !== 'number' || typeof max !== 'number') return undefined;
  return { kind: 'progress', id, node, value, max };
}

function imagesOf(id: string, node: string, output: unknown): HostEvent | undefined {
  const { files } = shownBy(output);
  return files.length > 0 ? { kind: 'images', id, node, files } : undefined;
}
