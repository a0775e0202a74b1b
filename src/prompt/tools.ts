/** JSON that image tools other than ComfyUI write into their files: one row a tool. */
import { parseDream } from './dream.ts';

export interface Pair {
  prompt: string;
  negative: string;
}

interface Tool {
  tool: string;
  /** Path to the prompt. */
  prompt: string;
  negative: string;
  /** Takes a text of both sides apart. */
  read?: (text: string) => Pair;
  /** List of texts beside each, under the same parent. */
  more?: { list: string; text: string };
}

const TOOLS: readonly Tool[] = [
  { tool: 'SwarmUI', prompt: 'sui_image_params.prompt', negative: 'sui_image_params.negativeprompt' },
  { tool: 'InvokeAI', prompt: 'positive_prompt', negative: 'negative_prompt' },
  { tool: 'InvokeAI 2', prompt: 'image.prompt.0.prompt', negative: '', read: parseDream },
  {
    tool: 'NovelAI 4',
    prompt: 'v4_prompt.caption.base_caption',
    negative: 'v4_negative_prompt.caption.base_caption',
    more: { list: 'char_captions', text: 'char_caption' },
  },
  { tool: 'NovelAI', prompt: 'prompt', negative: 'uc' },
  { tool: 'Draw Things', prompt: 'c', negative: 'uc' },
  { tool: 'Fooocus, Easy Diffusion', prompt: 'prompt', negative: 'negative_prompt' },
  { tool: 'Fooocus before 2.2', prompt: 'Prompt', negative: 'Negative Prompt' },
  { tool: 'TensorArt, Civitai', prompt: 'prompt', negative: 'negativePrompt' },
  { tool: 'others', prompt: 'prompt', negative: '' },
];
/** JSON inside JSON. */
const NESTED = ['extraMetadata', 'parameters', 'generation_data'];

function at(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** The prompts in JSON of a known shape; undefined in any other. A row with both fits better than one with one. */
export function pairIn(json: unknown, depth = 0): Pair | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const fitting = TOOLS.filter(({ prompt }) => typeof at(json, prompt) === 'string');
  const row = fitting.find(({ negative }) => typeof at(json, negative) === 'string') ?? fitting[0];
  if (row?.read) return row.read(textAt(json, row.prompt, undefined));
  if (row)
    return { prompt: textAt(json, row.prompt, row.more), negative: textAt(json, row.negative, row.more) };
  return depth < 2 ? nested(json, depth) : undefined;
}

/** Texts at a path, those of the list beside it behind it. */
function textAt(json: object, path: string, more: Tool['more']): string {
  const text = String(at(json, path) ?? '');
  const list = more && at(json, path.replace(/[^.]+$/, more.list));
  const others = Array.isArray(list) ? list.map((entry) => at(entry, more!.text)) : [];
  return [text, ...others].filter((part) => typeof part === 'string' && part !== '').join(', ');
}

function nested(json: object, depth: number): Pair | undefined {
  for (const key of NESTED) {
    const inside = at(json, key);
    const found = pairIn(typeof inside === 'string' ? parsed(inside) : inside, depth + 1);
    if (found) return found;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
