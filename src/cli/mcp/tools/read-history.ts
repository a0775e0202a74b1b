import { z } from 'zod';
import { brief } from '../brief.ts';
import { tool } from '../tool.ts';

const MOST_ROWS = 50;

const when = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .optional();

const input = z.strictObject({
  limit: z.int().min(1).max(MOST_ROWS).default(20),
  decision: z.enum(['accept', 'reject', 'unsure']).optional(),
  prompt: z.string().optional().describe('text that the prompt contains'),
  minReward: z.number().min(0).max(1).optional(),
  maxReward: z.number().min(0).max(1).optional(),
  since: when.describe('ISO 8601'),
  until: when.describe('ISO 8601'),
  failed: z.boolean().optional().describe('true: those that could not be scored alone'),
  scorer: z.string().optional().describe('id of a scorer'),
  cursor: z.string().optional().describe('`next` of the page before'),
});

export const readHistory = tool<z.output<typeof input>>({
  name: 'read_history',
  title: 'Read the history',
  description:
    'Recorded verdicts, newest first: of the daemon, of watches, of searches, and of this session. A page may hold less than its limit and have a next one all the same.',
  input,
  isReadOnly: true,
  async run(query, { runtime, signal }) {
    const { entries, next } = await runtime().history(query, signal);
    const rows = entries.map(({ at, client, result }) => ({
      at: new Date(at).toISOString(),
      client,
      ...brief(result.source ?? result.id, result),
    }));
    return { body: { entries: rows, next } };
  },
});
