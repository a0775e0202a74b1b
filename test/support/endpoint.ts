/** An OpenAI-compatible endpoint on loopback that answers as it is told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A part of a message with an image. */
export interface Part {
  type: string;
  text?: string;
  image_url?: { url: string };
}

export interface Asked {
  path: string;
  headers: IncomingHttpHeaders;
  body: {
    model?: string;
    messages: { role: string; content: string | Part[] }[];
    logprobs?: boolean;
    top_logprobs?: number;
    response_format?: { type: string };
    max_tokens?: number;
    max_completion_tokens?: number;
    /** Of hidden states. */
    pool?: string;
    max_positions?: number;
    task?: string;
    use_activation?: boolean;
  };
}

/** What is done with a question. */
export type Answer = (response: ServerResponse, asked: Asked) => void;

export interface Endpoint {
  url: string;
  /** The models that it lists; null: it has no list. */
  models: string[] | null;
  /** Questions so far. */
  asked: Asked[];
}

const json = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

/** What the model says, and how many tokens that took. */
export const says =
  (
    content: string | null,
    more: { refusal?: string; finish_reason?: string; tokens?: number } = {},
  ): Answer =>
  (response) => {
    const { refusal, finish_reason = 'stop', tokens } = more;
    json(response, 200, {
      choices: [{ index: 0, message: { role: 'assistant', content, refusal }, finish_reason }],
      ...(tokens !== undefined && { usage: { total_tokens: tokens } }),
    });
  };

/** Words of a rating by their probabilities, the one that is said first; other tokens may stand between. */
export const rates =
  (words: Record<string, number>, more: { tokens?: number; before?: string[] } = {}): Answer =>
  (response) => {
    const { tokens, before = [] } = more;
    const top = Object.entries(words).map(([token, p]) => ({ token, logprob: Math.log(p) }));
    const said = [...before.map((token) => ({ token, logprob: 0 })), { ...top[0]!, top_logprobs: top }];
    const content = said.map(({ token }) => token).join('');
    json(response, 200, {
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content },
          finish_reason: 'stop',
          logprobs: { content: said },
        },
      ],
      ...(tokens !== undefined && { usage: { total_tokens: tokens } }),
    });
  };

/** The words that were asked, without the image. */
export const wordsOf = ({ body }: Asked): string =>
  body.messages
    .flatMap(({ content }) =>
      typeof content === 'string' ? [content] : content.map(({ text = '' }) => text),
    )
    .join('\n');

/** The bytes of the image that was sent; absent when none was. */
export function imageOf({ body }: Asked): Buffer | undefined {
  const parts = body.messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  const url = parts.find(({ image_url }) => image_url)?.image_url?.url;
  return url === undefined ? undefined : Buffer.from(url.split(',')[1]!, 'base64');
}

const floats = (rows: readonly number[][]): Buffer => Buffer.from(Float32Array.from(rows.flat()).buffer);

/** An array of float32 in NumPy's file format. */
export function npy(dims: number[], data: Uint8Array, type = '<f4'): Buffer {
  const head = `{'descr': '${type}', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`;
  const header = Buffer.from(`${head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11)}\n`, 'latin1');
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 0, 0]);
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, header, data]);
}

/** Hidden states as the reference server gives them: a row a position, or one row. */
export const holds =
  (
    rows: number[][],
    positions = rows.length,
    dims = rows.length === 1 ? [rows[0]!.length] : [rows.length, rows[0]!.length],
  ): Answer =>
  (response) => {
    const headers = { 'content-type': 'application/octet-stream', 'x-assay-positions': String(positions) };
    response.writeHead(200, headers).end(npy(dims, floats(rows)));
  };

/** Hidden states as vLLM's pooling endpoint gives them. */
export const pools =
  (rows: number[][], promptTokens: number | null = rows.length): Answer =>
  (response) =>
    json(response, 200, {
      object: 'list',
      data: [{ index: 0, object: 'pooling', data: floats(rows).toString('base64') }],
      usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    });

export const proposes = (...variants: string[]): Answer =>
  says(JSON.stringify({ variants }), { tokens: 100 });

export const answers =
  (status: number, body: unknown, headers = {}): Answer =>
  (response) =>
    json(response, status, body, headers);

export const hangs: Answer = () => {};

/** Gives the answers in turn; the last one again and again. */
export async function startEndpoint(...given: Answer[]): Promise<Endpoint> {
  const asked: Asked[] = [];
  const endpoint: Endpoint = { url: '', models: ['tiny'], asked };
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      const { models } = endpoint;
      return json(response, models ? 200 : 404, { data: models?.map((id) => ({ id })) });
    }
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString()) as Asked['body'];
    asked.push({ path: request.url!, headers: request.headers, body });
    given[Math.min(asked.length, given.length) - 1]!(response, asked.at(-1)!);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return endpoint;
}
