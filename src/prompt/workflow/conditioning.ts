/** The texts behind a conditioning, on the side that is asked for. */
import { familiesOf } from './families.ts';
import { type Family, sideOf } from './family.ts';
import {
  isNegative,
  type Link,
  linkAt,
  linksAt,
  linksIn,
  type Node,
  type Side,
  titleOf,
  Unknowable,
} from './graph.ts';
import { type Found, joined, MOST_DEEP, notKnown, type Onward, type Search } from './search.ts';
import type { Texts } from './texts.ts';

const names = (text: string): readonly string[] => text.split(' ');

/** Text inputs of nodes that encode prompts. */
const TEXTS = [
  ...names(
    'text text_g text_l clip_g clip_l t5xxl llama bert mt5xl prompt user_prompt positive_prompt text_positive',
  ),
  ...names('prompt_text populated_text text1 clip_text t5_text global_prompt main_prompt'),
];
const NEGATIVE_TEXTS = ['negative_prompt', 'text_negative'];
/** Inputs of samplers and guiders that they are guided by, most telling first. */
const GUIDES: Record<Side, readonly string[]> = {
  positive: [
    ...names(
      'positive pos guider conditioning cond1 conditioning_positive positive_conditioning cond text_embeds',
    ),
    ...names('hyvid_embeds kolors_embeds prompt_embeds positive_cond cond_pos cond_positive'),
  ],
  negative: [
    ...names(
      'negative neg guider conditioning_negative negative_conditioning neg_conditioning uncond text_embeds',
    ),
    ...names('hyvid_embeds kolors_embeds negative_cond cond_neg cond_negative'),
  ],
};
const CONDITIONING = /^(?:positive|pos|guider)$|(?<!se)cond(?!ition$)|embeds$/i;
/** Links of conditioning nodes that no text comes by. */
const ELSEWHERE =
  /clip|model|vae|image|pixels|mask|latent|control|style|sigmas|noise|segs|seed|audio|text$|width|height|size|frame|second|fps|rate|strength|scale|steps|start|end|count|index/i;
/** Bundles of model, conditionings and more. */
const PIPES = /pipe|^ctx|context|base_ctx|tuple|bus$/i;

export interface Conditionings {
  /** @throws Unknowable */
  of(link: Link): Found | null;
  /** What a node is guided by; undefined: it is no sampler. @throws Unknowable */
  guiding(node: Node): (() => Found | null) | undefined;
  /** @throws Unknowable */
  pipe(node: Node): Found | null;
}

const HELD: Record<Side, readonly string[]> = {
  positive: ['positive', 'pos', 'positive_prompt', 'prompt'],
  negative: ['negative', 'neg', 'negative_prompt'],
};

export const pipesIn = (node: Node): Link[] =>
  linksIn(node)
    .filter(([name]) => PIPES.test(name))
    .map(([, link]) => link);

export function createConditionings(search: Search, texts: Texts): Conditionings {
  const { side } = search;
  const seen = new Set<string>();
  const met = new Set<Node>();
  let depth = 0;

  /** Follows nodes that hand on one conditioning in a loop, so that long chains need no stack. */
  function of(start: Link): Found | null {
    for (let link: Link | undefined = start; link; ) {
      search.step();
      const key = `${link[0]} ${link[1]}`;
      if (seen.has(key)) return null;
      seen.add(key);
      const node = search.lookup(link[0]);
      if (!node) return search.miss(`node ${link[0]} is not in the workflow`);
      const next: Onward = onward(node, link[1]);
      if ('found' in next) return next.found;
      if (next.links.length !== 1) return all(next.links);
      link = next.links[0];
    }
    return null;
  }

  function all(links: readonly Link[]): Found | null {
    if (depth >= MOST_DEEP) throw new Unknowable('its conditionings are nested too deeply');
    depth++;
    const found = joined(links.map(of));
    depth--;
    return found;
  }

  /** The texts of a node, or the links that they come by. */
  function onward(node: Node, output: number): Onward {
    for (const row of familiesOf(node.class)) {
      if (row.silent) return { found: null };
      if (row.unknowable !== undefined) throw notKnown(node, row.unknowable);
      if (row.picks) return { links: linksAt(node, [row.picks(texts.reader(node)) ?? '']) };
      if (row.says && row.encodes) return { found: said(node, row) };
      if (row.passes) return { links: linksAt(node, row.passes) };
      if (row.pair) return { links: linksAt(node, [row.pair.negative === output ? 'negative' : 'positive']) };
      if (row.encodes) return { found: encoded(node, sideOf(row.encodes, sideAt(node, output))) };
    }
    return guessed(node, output);
  }

  function said(node: Node, row: Family): Found | null {
    const text = row.says!(texts.reader(node));
    return text.trim() === '' ? null : { text, nodes: [node], doubt: null };
  }

  /** Loaders encode both sides: which output is which shows where they lead. */
  function sideAt(node: Node, output: number): Side {
    const { positive, negative } = search.usesOf(node.id);
    if (positive.includes(output) === negative.includes(output)) return side;
    return positive.includes(output) ? 'positive' : 'negative';
  }

  function encoded(node: Node, names: readonly string[]): Found | null {
    const found = names.map((name) => textAt(node, name));
    if (found.every((part) => part === null)) search.misses.push(`${titleOf(node)} has no text`);
    return joined(found);
  }

  function textAt(node: Node, name: string): Found | null {
    const found = texts.of(node.inputs[name]);
    return found && { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  /** A node that no row knows, by the names of its inputs. */
  function guessed(node: Node, output: number): Onward {
    const links = linksIn(node);
    if (linkAt(node, 'positive') && linkAt(node, 'negative') && isConditioning(node, 'positive'))
      return { links: linksAt(node, [pairSide(node, output)]) };
    const own = ownTexts(node);
    if (own.length > 0) return { found: encoded(node, own) };
    const sided = links.filter(([name]) => !isNegative(name));
    const telling = sided.filter(([name]) => CONDITIONING.test(name));
    if (telling.length > 0) return { links: telling.map(([, link]) => link) };
    if (pipesIn(node).length > 0) return { found: pipe(node) };
    return { links: sided.filter(([name]) => !ELSEWHERE.test(name)).map(([, link]) => link) };
  }

  /** `positive` of a loader may be a text that comes by a link. */
  const isConditioning = (node: Node, name: string): boolean => {
    const source = search.lookup(linkAt(node, name)![0]);
    return source === undefined || !isTextNode(source);
  };

  function ownTexts(node: Node): readonly string[] {
    const present = (names: readonly string[]) => names.filter((name) => node.inputs[name] !== undefined);
    const sided = present([side, ...(side === 'negative' ? NEGATIVE_TEXTS : [])]).filter(
      (name) => typeof node.inputs[name] === 'string' || (linkAt(node, name) && !isConditioning(node, name)),
    );
    if (sided.length > 0) return sided;
    const opposite = present(side === 'negative' ? ['positive', 'positive_prompt', 'text_positive'] : []);
    return opposite.length > 0 ? [] : present(TEXTS);
  }

  /**
   * Nodes that hand on both sides have the positive one first, at times behind a model: the outputs that are used tell
   * where they begin.
   */
  function pairSide(node: Node, output: number): Side {
    const uses = search.usesOf(node.id);
    const used = [...uses.positive, ...uses.negative];
    const first = new Set(used).size > 1 ? Math.min(...used) : linkAt(node, 'model') && output > 0 ? 1 : 0;
    return output <= first ? 'positive' : 'negative';
  }

  function guiding(node: Node): (() => Found | null) | undefined {
    const name = GUIDES[side].find((guide) => linkAt(node, guide));
    if (name === undefined) return isGuided(node) ? () => null : undefined;
    const link = linkAt(node, name)!;
    if (name !== 'guider') return () => of(link);
    return () => {
      const guider = search.lookup(link[0]);
      return guider ? (guiding(guider)?.() ?? null) : null;
    };
  }

  const isGuided = (node: Node): boolean =>
    GUIDES.positive.some((guide) => linkAt(node, guide)) ||
    GUIDES.negative.some((guide) => linkAt(node, guide));

  /** The side of a bundle that a node takes: the first of its bundles that has one. */
  function pipe(node: Node): Found | null {
    if (depth >= MOST_DEEP) throw new Unknowable('its bundles are nested too deeply');
    depth++;
    const found = bundled(node);
    depth--;
    return found;
  }

  function bundled(node: Node): Found | null {
    for (const link of pipesIn(node)) {
      search.step();
      const source = search.lookup(link[0]);
      const found = source && !met.has(source) ? held(source) : null;
      if (found) return found;
    }
    return null;
  }

  /** What a node puts into a bundle, else what its own bundle holds. */
  function held(node: Node): Found | null {
    met.add(node);
    const row = familiesOf(node.class).find(({ encodes, picks }) => encodes ?? picks);
    if (row?.encodes) return encoded(node, sideOf(row.encodes, side));
    const picked = row?.picks ? linkAt(node, row.picks(texts.reader(node)) ?? '') : undefined;
    const onward = picked && search.lookup(picked[0]);
    if (onward) return held(onward);
    const name = HELD[side].find((key) => node.inputs[key] !== undefined);
    if (name === undefined) return pipe(node);
    const link = linkAt(node, name);
    return link && isConditioning(node, name) ? of(link) : textAt(node, name);
  }

  return { of, guiding, pipe };
}

/** Whether what a node makes is a text, as its class and inputs tell. */
function isTextNode(node: Node): boolean {
  if (/encode|condition/i.test(node.class)) return false;
  const rows = familiesOf(node.class);
  if (rows.some(({ says, unknowable, encodes }) => (says || unknowable !== undefined) && !encodes))
    return true;
  return (
    linksIn(node).every(([name]) => !/clip|cond|model|pipe/i.test(name)) &&
    /text|string|prompt|primitive|value/i.test(node.class)
  );
}
