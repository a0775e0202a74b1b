import { z } from 'zod';
import { promptIn } from '../../prompt.ts';
import { cut } from '../brief.ts';
import { tool } from '../tool.ts';

const LONGEST = 4000;
const MOST_NODES = 20;

const input = z.strictObject({
  path: z.string().min(1).describe('image, or JSON of a workflow'),
  node: z
    .string()
    .optional()
    .describe('id of the node that shows or saves the image, in a workflow with several'),
});

const short = (text: string | null): string | null => text && cut(text, LONGEST);

export const findPrompt = tool<z.output<typeof input>>({
  name: 'find_prompt',
  title: 'Find the prompt in a file',
  description:
    'The positive and negative prompt that an image or a workflow carries, where it was found and how sure that is, or why there is none.',
  input,
  isReadOnly: true,
  async run({ path, node }, { folders }) {
    const { nodes, prompt, negative, original, ...found } = await promptIn(
      await folders.existing(path),
      node,
    );
    const left = (nodes?.length ?? 0) - MOST_NODES;
    return {
      body: {
        ...{ prompt: short(prompt), negative: short(negative), original: short(original), ...found },
        ...(nodes && {
          nodes: nodes.slice(0, MOST_NODES).map((n) => ({ ...n, prompt: n.prompt && cut(n.prompt) })),
        }),
        ...(left > 0 && { nodesLeftOut: left }),
      },
    };
  },
});
