import { z } from 'zod';
import { cut } from '../brief.ts';
import { tool } from '../tool.ts';

const input = z.strictObject({});

export const listScorers = tool<z.output<typeof input>>({
  name: 'list_scorers',
  title: 'List the scorers',
  description: 'The scorers that are installed, which one is the default, and what each of them predicts.',
  input,
  isReadOnly: true,
  async run(_input, { runtime }) {
    const opened = runtime();
    return {
      body: {
        scorers: opened.scorers().map((s) => ({
          ...{ id: s.id, version: s.version, default: s.default, aspects: s.aspects },
          ...(s.problem !== null && { problem: cut(s.problem) }),
        })),
        refused: opened.refusedScorers().map(({ id, error }) => ({ id, error: error.code })),
      },
    };
  },
});
