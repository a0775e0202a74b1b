/** The Model Context Protocol on the standard streams: the one file that knows its library. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import {
  CallToolRequestSchema,
  type CallToolResult,
  ListToolsRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { parse } from '../../bridge/server/wire/parse.ts';
import { fail, toAssayError } from '../../errors/error.ts';
import { version } from '../../lib/version.ts';
import type { Answer, Surroundings, Tool } from './tool.ts';

const INSTRUCTIONS = `Assay predicts how people would rate images that diffusion models make.
quality, alignment (does it show its prompt) and authenticity are mean opinion scores in the stated range, higher is better;
percentile is the share of reference images that are worse; reward is one number from 0 to 1. An image without a number has
none: it is never 0. Compare rewards of images of one prompt. Paths are files and folders on this machine, inside the allowed folders.`;

function described({ name, title, description, input, isReadOnly }: Tool) {
  return {
    name,
    title,
    description,
    inputSchema: z.toJSONSchema(input, { io: 'input' }) as { type: 'object' },
    annotations: { title, readOnlyHint: isReadOnly, destructiveHint: false, openWorldHint: !isReadOnly },
  };
}

const asContent = ({ body, pictures = [] }: Answer): CallToolResult => ({
  content: [
    { type: 'text', text: JSON.stringify(body) },
    ...pictures.map((picture) => ({ type: 'image' as const, ...picture })),
  ],
});

/** Refusals are for the model to read, so they are answers of the tool. */
function asRefusal(thrown: unknown): CallToolResult {
  const error = toAssayError(thrown);
  const { code, message } = error;
  const fix = code === 'BAD_REQUEST' ? 'Compare it with the input schema of the tool.' : error.fix;
  if (error.kind === 'internal') process.stderr.write(`assay: ${message} [${code}]\n`);
  return {
    isError: true,
    content: [{ type: 'text', text: JSON.stringify({ error: { code, message, fix } }) }],
  };
}

/** Serves until the standard input closes, or the signal aborts; then what is asked for is given up. */
export async function serveTools(
  tools: readonly Tool[],
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController();
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  const server = new Server(
    { name: 'assay', title: 'Assay', version },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  server.onclose = end;
  server.onerror = ({ message }) => process.stderr.write(`assay: ${message}\n`);
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: tools.map(described) }));
  server.setRequestHandler(
    CallToolRequestSchema,
    async ({ params }, { signal: given, sendNotification, _meta }) => {
      const token = _meta?.progressToken;
      const progress = (done: number, total: number): void => {
        if (token === undefined) return;
        const params = { progressToken: token, progress: done, total };
        void sendNotification({ method: 'notifications/progress', params }).catch(() => undefined);
      };
      try {
        const row = tools.find(({ name }) => name === params.name);
        if (!row)
          throw fail('TOOL_UNKNOWN', { name: params.name, known: tools.map(({ name }) => name).join(', ') });
        const input = parse(row.input, params.arguments ?? {});
        const call = { ...surroundings, signal: AbortSignal.any([given, ending.signal]), progress };
        return asContent(await row.run(input, call));
      } catch (thrown) {
        return asRefusal(thrown);
      }
    },
  );
  process.stdin.once('end', end).once('close', end);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    await server.connect(new StdioServerTransport());
    await ended.promise;
  } finally {
    ending.abort();
    await server.close();
    process.stdin.destroy();
  }
}
