/** A language model of which the states are known: what a parity report holds of an image, by what is asked last. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Float32 in base64, by the question. */
export type KnownStates = Record<string, { shape: number[]; data: string }>;

export interface StatesServer {
  url: string;
  /** Of the image that is asked about next. */
  states: KnownStates;
  stop(): Promise<void>;
}

/** In NumPy's file format. */
function asNpy(shape: number[], data: Buffer): Buffer {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(`${head.padEnd(117)}\n`);
  return Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]), header, data]);
}

interface Body {
  messages: { content: string | { type: string; text?: string }[] }[];
}

/** The words that were asked last, without the image. */
function lastWords({ messages }: Body): string {
  const { content } = messages.at(-1)!;
  const words = typeof content === 'string' ? content : content.map(({ text = '' }) => text).join('');
  return words.trim();
}

/** What it says of every image. */
const ANSWER = { choices: [{ message: { content: 'It is an image.' }, finish_reason: 'stop' }] };

/** Answers as the reference server of training/ does, on loopback; 404 for a question that the report does not know. */
export async function startStates(): Promise<StatesServer> {
  const known: StatesServer = { url: '', states: {}, stop: async () => {} };
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify({ data: [{ id: 'known' }] }));
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (request.url!.endsWith('/chat/completions')) return response.end(JSON.stringify(ANSWER));
    const found = known.states[lastWords(JSON.parse(Buffer.concat(parts).toString()))];
    if (found === undefined) return response.writeHead(404).end();
    const { shape, data } = found;
    response.setHeader('x-assay-positions', String(shape.length > 1 ? shape[0] : 1));
    return response.end(asNpy(shape, Buffer.from(data, 'base64')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  known.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  known.stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return known;
}
