/** A language model of which the states are known: what a parity report holds of an image, by question. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Float32 in base64, by what was asked. */
export type KnownStates = Record<string, string>;

export interface StatesServer {
  url: string;
  /** Of the image that is asked about next. */
  states: KnownStates;
  stop(): Promise<void>;
}

/** One row in NumPy's file format. */
function asNpy(row: Buffer): Buffer {
  const shape = `{'descr': '<f4', 'fortran_order': False, 'shape': (${row.length / 4},), }`;
  const header = Buffer.from(`${shape.padEnd(117)}\n`);
  return Buffer.concat([Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]), header, row]);
}

interface Body {
  messages: { content: string | { type: string; text?: string }[] }[];
}

/** The words that were asked, without the image. */
const wordsOf = ({ messages }: Body): string =>
  messages
    .flatMap(({ content }) =>
      typeof content === 'string' ? [content] : content.map(({ text = '' }) => text),
    )
    .join('')
    .trim();

/** Answers as the reference server of training/ does, on loopback; 404 for a question that the report does not know. */
export async function startStates(): Promise<StatesServer> {
  const known: StatesServer = { url: '', states: {}, stop: async () => {} };
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') return response.end(JSON.stringify({ data: [{ id: 'known' }] }));
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const row = known.states[wordsOf(JSON.parse(Buffer.concat(parts).toString()))];
    if (row === undefined) return response.writeHead(404).end();
    response.setHeader('x-assay-positions', '1');
    return response.end(asNpy(Buffer.from(row, 'base64')));
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
