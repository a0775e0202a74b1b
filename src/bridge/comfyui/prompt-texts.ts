/** Texts behind a conditioning, and behind a text input that is a link. */
import { asLink, type Link, type Lookup, linksIn, type Node } from './graph.ts';

export interface Texts {
  /** All texts that a conditioning is made of. */
  fromConditioning(link: Link): string[];
  /** Of a literal, or of what a link leads to. */
  fromInput(value: unknown): string[];
}

/** Text inputs of nodes that encode prompts. */
const TEXTS = [
  ...['text', 'text_g', 'text_l', 'clip_g', 'clip_l', 't5xxl', 'llama'],
  ...['bert', 'mt5xl', 'prompt', 'user_prompt', 'positive_prompt', 'text_positive', 'tags', 'lyrics'],
];
/** Inputs of nodes that hold or change strings. A wildcard node keeps what it chose in `populated_text`. */
const CHOSEN = 'populated_text';
const STRINGS = /^(value|text|string|prompt|positive|user_prompt)(_?[a-z0-9])?$/i;
const CONDITIONING = /^(positive|guider)$|cond/i;
/** Links of conditioning nodes that no text comes by. */
const ELSEWHERE = /negative|uncond|clip|model|vae|image|pixels|mask|latent|control|style|sigmas|noise/i;
/** It makes a conditioning that says nothing. */
const SILENT = 'ConditioningZeroOut';

/** String nodes visited for one prompt: graphs can double their way with every node. */
const MOST_STRINGS = 500;

export function createTexts(lookup: Lookup): Texts {
  let strings = 0;

  function fromConditioning(start: Link): string[] {
    const found: string[] = [];
    const seen = new Set<string>();
    const stack = [start];
    while (stack.length > 0) {
      const [id, output] = stack.pop()!;
      const node = lookup(id);
      if (!node || seen.has(`${id} ${output}`) || node.class === SILENT) continue;
      seen.add(`${id} ${output}`);
      const texts = textsIn(node);
      found.push(...texts);
      if (texts.length === 0) stack.push(...conditioningsOf(node, output).reverse());
    }
    return found;
  }

  // Loaders that encode both prompts themselves call theirs `positive`; elsewhere that is a conditioning's link.
  const textsIn = ({ inputs }: Node): string[] => {
    const names = TEXTS.filter((name) => name in inputs);
    if (typeof inputs.positive === 'string') names.push('positive');
    return names.flatMap((name) => fromInput(inputs[name]));
  };

  function fromInput(value: unknown, seen: ReadonlySet<string> = new Set()): string[] {
    if (typeof value === 'string') return value.trim() === '' ? [] : [value.trim()];
    const link = asLink(value);
    const node = link && !seen.has(link[0]) ? lookup(link[0]) : undefined;
    return node ? fromStringNode(node, new Set([...seen, link![0]])) : [];
  }

  function fromStringNode(node: Node, seen: ReadonlySet<string>): string[] {
    if (++strings > MOST_STRINGS) return [];
    if (CHOSEN in node.inputs) return fromInput(node.inputs[CHOSEN], seen);
    const names = Object.keys(node.inputs).filter((name) => STRINGS.test(name));
    const values =
      names.length > 0 ? names.map((n) => node.inputs[n]) : linksIn(node).map(([, link]) => link);
    const parts = values.flatMap((part) => fromInput(part, seen));
    const { delimiter } = node.inputs;
    return typeof delimiter === 'string' && parts.length > 1 ? [parts.join(delimiter)] : parts;
  }

  return { fromConditioning, fromInput: (value) => fromInput(value) };
}

/** Where a conditioning comes from. Nodes that pass a pair on have the positive one first, the negative one second. */
function conditioningsOf(node: Node, output: number): Link[] {
  const links = linksIn(node);
  const pair = ['positive', 'negative'].map((name) => asLink(node.inputs[name]));
  const isSampler = links.some(([name]) => name === 'model');
  if (pair[0] && pair[1] && !isSampler) return output < 2 ? [pair[output]!] : [];
  const telling = links.filter(([name]) => CONDITIONING.test(name) && !/negative|uncond/i.test(name));
  const chosen = telling.length > 0 ? telling : links.filter(([name]) => !ELSEWHERE.test(name));
  return chosen.map(([, link]) => link);
}
