/** The texts behind a conditioning, on the side that is asked for. */
import { familiesOf } from './families.ts';
import { type Family, type Sides, sideOf } from './family.ts';
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
  ...names('prompt_text prompt_g prompt_l populated_text text1 clip_text t5_text global_prompt main_prompt'),
];
/** Texts of nodes that take both sides. */
const SIDED: Record<Side, readonly string[]> = {
  positive: names('positive positive_prompt text_positive'),
  negative: names('negative negative_prompt text_negative'),
};
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
/** Inputs of nodes that hand on both sides. */
const POSITIVE = /^positive(?:_(?!prompt|text)\w+)?\d*$/i;
const NEGATIVE = /^negative(?:_(?!prompt|text)\w+)?\d*$/i;
/** Words for putting conditionings together. */
const JOINS =
  /combin|conca|averag|merg|blend|mix|multi|join|add|append|stack|batch|interpolat|lerp|regional|area|couple|default|guider/i;
const CONDITIONING = /^(?:positive|pos|guider)$|(?<!se)cond(?!ition$)|embeds$/i;
/** Links of conditioning nodes that no text comes by. */
const ELSEWHERE =
  /clip|model|vae|image|pixels|mask|latent|control|style|sigmas|noise|segs|seed|audio|text$|width|height|size|frame|second|fps|rate|strength|scale|steps|start|end|count|index/i;
/** Bundles of model, conditionings and more. */
const PIPES = /pipe|^ctx|context|base_ctx|tuple|bus$|^base_sampler$/i;

const HELD: Record<Side, readonly string[]> = {
  positive: ['positive', 'pos', 'positive_prompt', 'prompt'],
  negative: ['negative', 'neg', 'negative_prompt'],
};

export const pipesIn = (node: Node): Link[] =>
  linksIn(node)
    .filter(([name]) => PIPES.test(name))
    .map(([, link]) => link);

/** Follows the conditionings of one search, each once. */
export class Conditionings {
  readonly #search: Search;
  readonly #texts: Texts;
  readonly #seen = new Set<string>();
  readonly #met = new Set<Node>();
  #depth = 0;

  constructor(search: Search, texts: Texts) {
    this.#search = search;
    this.#texts = texts;
  }

  /** Follows nodes that hand on one conditioning in a loop, so that long chains need no stack. @throws Unknowable */
  of(start: Link): Found | null {
    for (let link: Link | undefined = start; link; ) {
      this.#search.step();
      const key = `${link[0]} ${link[1]}`;
      if (this.#seen.has(key)) return null;
      this.#seen.add(key);
      const node = this.#search.lookup(link[0]);
      if (!node) return this.#search.miss(`node ${link[0]} is not in the workflow`);
      const next: Onward = this.#onward(node, link[1]);
      if ('found' in next) return next.found;
      if (next.links.length === 0)
        return this.#search.miss(`nothing that guides comes into ${titleOf(node)}`);
      if (next.links.length > 1) return this.#all(next.links);
      link = next.links[0];
    }
    return null;
  }

  #all(links: readonly Link[]): Found | null {
    return joined(this.#each(links));
  }

  #each(links: readonly Link[]): (Found | null)[] {
    if (this.#depth >= MOST_DEEP) throw new Unknowable('its conditionings are nested too deeply');
    this.#depth++;
    const found = links.map((link) => this.of(link));
    this.#depth--;
    return found;
  }

  /** Several conditionings are put together, or one of them is chosen: only the name of the class tells. */
  #together(node: Node, links: readonly Link[]): Onward {
    if (links.length === 1 || JOINS.test(node.class)) return { links };
    const all = this.#each(links).filter((one) => one !== null);
    const isOne = new Set(all.map(({ text }) => text.trim())).size <= 1;
    const found = joined(all);
    const doubt = `${titleOf(node)} is not known, and several prompts come into it`;
    return { found: isOne || !found ? found : { ...found, doubt: found.doubt ?? doubt } };
  }

  /** The texts of a node, or the links that they come by. */
  #onward(node: Node, output: number): Onward {
    for (const row of familiesOf(node.class)) {
      const found = this.#ruled(row, node, output);
      if (found) return found;
    }
    return this.#guessed(node, output);
  }

  /** What a row says of a node; undefined when it says nothing of conditionings. */
  #ruled(row: Family, node: Node, output: number): Onward | undefined {
    if (row.silent) return { found: this.#search.end() };
    if (row.unknowable !== undefined) throw notKnown(node, row.unknowable);
    if (row.picks) return { links: linksAt(node, [row.picks(this.#texts.reader(node)) ?? '']) };
    if (row.encodes)
      return { found: row.says ? this.#said(node, row) : this.#ofTexts(node, row.encodes, output) };
    const passes = typeof row.passes === 'function' ? row.passes(this.#texts.reader(node)) : row.passes;
    const names = passes ?? (row.pair && [row.pair.negative === output ? 'negative' : 'positive']);
    return names && { links: linksAt(node, names) };
  }

  #said(node: Node, row: Family): Found | null {
    const text = row.says!(this.#texts.reader(node));
    return text.trim() === '' ? this.#search.end() : { text, nodes: [node], doubt: null };
  }

  /** Loaders encode both sides: which output is which shows where they lead. */
  #sideAt(node: Node, output: number): Side {
    const { positive, negative } = this.#search.usesOf(node.id);
    if (positive.includes(output) === negative.includes(output)) return this.#search.side;
    return positive.includes(output) ? 'positive' : 'negative';
  }

  #ofTexts(node: Node, sides: Sides, output: number): Found | null {
    return this.#encoded(node, sideOf(sides, this.#sideAt(node, output)));
  }

  #encoded(node: Node, names: readonly string[]): Found | null {
    const found = names.map((name) => this.#textAt(node, name));
    if (found.every((part) => part === null)) this.#search.silences.push(`${titleOf(node)} has no text`);
    return joined(found);
  }

  #textAt(node: Node, name: string): Found | null {
    const found = this.#texts.of(node.inputs[name]);
    return found && { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  /** A node that no row knows, by the names of its inputs. */
  #guessed(node: Node, output: number): Onward {
    const links = linksIn(node);
    const pair = this.#pairIn(node);
    if (pair) return { links: linksAt(node, pair[this.#pairSide(node, output)]) };
    const own = this.#ownTexts(node);
    if (own.length > 0) return { found: this.#encoded(node, own) };
    const sided = links.filter(([name]) => !isNegative(name));
    const telling = sided.filter(([name]) => CONDITIONING.test(name));
    if (telling.length > 0)
      return this.#together(
        node,
        telling.map(([, link]) => link),
      );
    if (pipesIn(node).length > 0) return { found: this.pipe(node) };
    return { links: sided.filter(([name]) => !ELSEWHERE.test(name)).map(([, link]) => link) };
  }

  /** Inputs of a node that hands on both sides; it may have several pairs, `positive_A` and `positive_B`. */
  #pairIn(node: Node): Record<Side, string[]> | undefined {
    const linked = linksIn(node).map(([name]) => name);
    const positive = linked.filter((name) => POSITIVE.test(name));
    const negative = linked.filter((name) => NEGATIVE.test(name));
    const isPair = positive.length > 0 && negative.length > 0;
    return isPair && positive.every((name) => this.#isConditioning(node, name))
      ? { positive, negative }
      : undefined;
  }

  /** `positive` of a loader may be a text that comes by a link. */
  #isConditioning(node: Node, name: string): boolean {
    const source = this.#search.lookup(linkAt(node, name)?.[0] ?? '');
    return source === undefined || !isTextNode(source);
  }

  /** Inputs that hold the texts of this side. */
  #ownTexts(node: Node): readonly string[] {
    const { side } = this.#search;
    const present = (names: readonly string[]) => names.filter((name) => node.inputs[name] !== undefined);
    const isText = (name: string) =>
      typeof node.inputs[name] === 'string' || !this.#isConditioning(node, name);
    const own = present(SIDED[side]).filter(isText);
    if (own.length > 0) return own;
    const isOneSided = side === 'negative' && present(SIDED.positive).length > 0;
    return isOneSided ? [] : present(TEXTS);
  }

  /**
   * Nodes that hand on both sides have the positive one first, at times behind a model: the outputs that are used tell
   * where they begin.
   */
  #pairSide(node: Node, output: number): Side {
    const uses = this.#search.usesOf(node.id);
    const used = [...uses.positive, ...uses.negative];
    const first = new Set(used).size > 1 ? Math.min(...used) : linkAt(node, 'model') && output > 0 ? 1 : 0;
    return output <= first ? 'positive' : 'negative';
  }

  /** What a node is guided by; undefined: it is no sampler. @throws Unknowable */
  guiding(node: Node): (() => Found | null) | undefined {
    const name = GUIDES[this.#search.side].find((guide) => node.links.has(guide));
    if (name === undefined) return isGuided(node) ? () => null : undefined;
    const link = linkAt(node, name)!;
    return () => (name === 'guider' ? this.#guider(link) : this.of(link));
  }

  /** A guider has a guide for each side. */
  #guider([id]: Link): Found | null {
    const guider = this.#search.lookup(id);
    if (!guider) return this.#search.miss(`node ${id} is not in the workflow`);
    const link = linksAt(
      guider,
      GUIDES[this.#search.side].filter((name) => name !== 'guider'),
    )[0];
    return link ? this.of(link) : this.#search.miss(`nothing guides ${titleOf(guider)}`);
  }

  /** The side of a bundle that a node takes: the first of its bundles that has one. */
  pipe(node: Node): Found | null {
    if (this.#depth >= MOST_DEEP) throw new Unknowable('its bundles are nested too deeply');
    this.#depth++;
    const found = this.#bundled(node);
    this.#depth--;
    return found;
  }

  #bundled(node: Node): Found | null {
    for (const link of pipesIn(node)) {
      this.#search.step();
      const source = this.#search.lookup(link[0]);
      const found = source && !this.#met.has(source) ? this.#held(source) : null;
      if (found) return found;
    }
    return this.#search.miss(`the bundle of ${titleOf(node)} holds no text`);
  }

  /** What a node puts into a bundle, else what its own bundle holds. */
  #held(node: Node): Found | null {
    this.#met.add(node);
    this.#search.step();
    const row = familiesOf(node.class).find(({ encodes, picks }) => encodes ?? picks);
    if (row?.encodes) return this.#encoded(node, sideOf(row.encodes, this.#search.side));
    const picked = row?.picks ? linkAt(node, row.picks(this.#texts.reader(node)) ?? '') : undefined;
    const onward = picked && this.#search.lookup(picked[0]);
    if (onward) return this.#met.has(onward) ? null : this.#held(onward);
    const name = HELD[this.#search.side].find((key) => node.inputs[key] !== undefined);
    if (name === undefined) return this.pipe(node);
    const link = linkAt(node, name);
    return link && this.#isConditioning(node, name) ? this.of(link) : this.#textAt(node, name);
  }
}

const isGuided = (node: Node): boolean =>
  [...GUIDES.positive, ...GUIDES.negative].some((name) => node.links.has(name));

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
