/** The text of an input: a literal, or what the nodes behind its link make of theirs. */
import { familiesOf } from './families.ts';
import { type Family, type Reader, sideOf } from './family.ts';
import { asLink, isNegative, type Link, linksIn, type Node, titleOf, Unknowable } from './graph.ts';
import { checked, type Found, joined, MOST_DEEP, notKnown, type Search } from './search.ts';

/** Inputs of nodes that hold or change strings. */
const STRINGS =
  /^(?:value|text|string|str|prompt|positive|user_prompt|positive_prompt|content|input|anything)(?:_?[a-z0-9])?$/i;
/** Names of classes that do nothing with a single text but hold it or hand it on. */
const HOLDERS = /positive|negative|text|string|prompt|primitive|literal|constant|note|reroute|value|any/i;
/** Words that are for people, or for the box that a text is shown in. */
const REMARKS = /title|label|name$|comment|note|color|colour|speak|output|filename/i;
const MODEL =
  /^(?:model|model_?(?:name|id|path)|llm.*|.*_llm|.*gguf.*|temperature|top_?[pk]|min_p|max_?(?:new_?)?tokens?|max_length|system_?(?:prompt|message|instructions?)?|instructions?|assistant|api_?key|base_?url|endpoint|(?:repetition|repeat|frequency|presence)_penalty|num_(?:predict|ctx|beams)|chat_.*|keep_alive)$/i;
/** Links by which no text comes. */
const ASIDE = /clip|model|vae|image|pixels|mask|latent|seed|control|noise|sigmas/i;

/** Reads the texts of one search. */
export class Texts {
  readonly #search: Search;
  readonly #known = new Map<string, Found | null>();
  #depth = 0;

  constructor(search: Search) {
    this.#search = search;
  }

  /** @throws Unknowable */
  of(value: unknown): Found | null {
    if (typeof value === 'string')
      return value.trim() === '' ? this.#search.end() : { text: value, nodes: [], doubt: null };
    const link = asLink(value);
    return link ? this.#behind(link) : null;
  }

  #behind(link: Link): Found | null {
    const key = `${link[0]} ${link[1]}`;
    if (this.#known.has(key)) return this.#known.get(key)!;
    this.#search.step();
    this.#known.set(key, null); // what leads to itself adds nothing
    if (this.#depth >= MOST_DEEP) throw new Unknowable('its texts are nested too deeply');
    this.#depth++;
    const node = this.#search.lookup(link[0]);
    const found = node
      ? this.#made(node, link[1])
      : this.#search.miss(`node ${link[0]} is not in the workflow`);
    this.#depth--;
    this.#known.set(key, found);
    return found;
  }

  #made(node: Node, output: number): Found | null {
    for (const row of familiesOf(node.class)) {
      if (row.unknowable !== undefined) throw notKnown(node, row.unknowable);
      if (row.picks) return this.#picked(node, row.picks);
      if (row.says) return this.#said(node, row.says, output);
      if (row.encodes) return this.#styled(node, row, output);
    }
    return this.#plain(node);
  }

  #picked(node: Node, pick: NonNullable<Family['picks']>): Found | null {
    const name = pick(this.reader(node));
    return name === null ? this.#missed(node) : this.#at(node, name);
  }

  #missed(node: Node): null {
    return this.#search.miss(`${titleOf(node)}: no text is found in it`);
  }

  #said(node: Node, say: NonNullable<Family['says']>, output: number): Found | null {
    const seen: Found[] = [];
    const text = checked(say(this.reader(node, output, seen)));
    if (text.trim() === '') return this.#search.end();
    return { text, nodes: nodesOf(node, seen), doubt: doubtOf(seen) };
  }

  /** Nodes with both prompts have the positive one first. */
  #styled(node: Node, row: Family, output: number): Found | null {
    const side =
      output === 1 && this.#search.usesOf(node.id).positive.length === 0 ? 'negative' : this.#search.side;
    const name = sideOf(row.encodes!, side).find((n) => node.inputs[n] !== undefined);
    const found = name === undefined ? this.#missed(node) : this.#at(node, name);
    const doubt = row.partly?.(this.reader(node)) ?? null;
    if (!found) return doubt === null ? null : { text: '', nodes: [node], doubt };
    return { ...found, doubt: found.doubt ?? doubt };
  }

  /** A node that no rule knows. */
  #plain(node: Node): Found | null {
    if (isModel(node))
      throw notKnown(node, 'it takes what language models take, so its text is made when it runs');
    const names = Object.keys(node.inputs).filter((name) => STRINGS.test(name) && isText(node.inputs[name]));
    const sided = names.filter((name) => isNegative(name) === (this.#search.side === 'negative'));
    const fitting = sided.length > 0 ? sided : names;
    if (fitting.length > 1) return this.#several(node, fitting);
    if (fitting.length === 1) return this.#single(node, fitting[0]!);
    const onward = linksIn(node).filter(([name]) => !ASIDE.test(name));
    return onward.length === 1 ? this.#single(node, onward[0]![0]) : this.#missed(node);
  }

  #single(node: Node, name: string): Found | null {
    const found = this.#at(node, name);
    const others = linksIn(node).filter(
      ([other]) => other !== name && !ASIDE.test(other) && !STRINGS.test(other),
    );
    if (found && others.some(([other]) => this.#at(node, other) !== null))
      throw notKnown(node, 'it is not known, and another text comes into it');
    if (!found || (isHolder(node) && !isSteered(node, name))) return found;
    return { ...found, doubt: found.doubt ?? `${titleOf(node)} is not known, and may change the text` };
  }

  #several(node: Node, names: string[]): Found | null {
    const glue = ['delimiter', 'separator', 'sep']
      .map((name) => node.inputs[name])
      .find((v) => typeof v === 'string');
    const parts = names.toSorted().map((name) => this.#at(node, name));
    const texts = parts.filter((part) => part !== null);
    if (new Set(texts.map(({ text }) => text)).size <= 1) return texts[0] ?? null;
    if (typeof glue !== 'string') throw notKnown(node, 'it is not known, and makes a text of several');
    const doubt = `${titleOf(node)} is not known, and may put its texts together otherwise`;
    return { ...joined(texts, glue)!, doubt };
  }

  #at(node: Node, name: string): Found | null {
    const found = this.of(node.inputs[name]);
    return found && { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  /** What rules may know of a node's inputs. `seen` keeps the texts that they read. */
  reader(node: Node, output = 0, seen: Found[] = []): Reader {
    return {
      node,
      output,
      side: this.#search.side,
      text: (name) => this.#read(node, name, seen),
      spend: this.#search.step,
      value: (name) => this.#constant(node.inputs[name], node),
      names: (pattern) =>
        Object.keys(node.inputs)
          .filter((name) => pattern.test(name))
          .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    };
  }

  #read(node: Node, name: string, seen: Found[]): string {
    const value = node.inputs[name];
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    const found = this.#at(node, name);
    if (found) seen.push(found);
    return found?.text ?? '';
  }

  /** A literal, or that of a node that holds nothing else. */
  #constant(value: unknown, user: Node): unknown {
    let link = asLink(value);
    if (!link) return value;
    for (let hops = 0; link && hops < 20; hops++) {
      const node = this.#search.lookup(link[0]);
      const values: unknown[] = node ? Object.values(node.inputs) : [];
      if (values.length !== 1) break;
      if (!Array.isArray(values[0])) return values[0];
      link = asLink(values[0]);
    }
    throw notKnown(user, 'a choice of it is made when the workflow runs');
  }
}

const isHolder = (node: Node): boolean => node.class === '' || HOLDERS.test(node.class);

/** Words beside the text tell a node what to do with it. */
const isSteered = (node: Node, text: string): boolean =>
  Object.entries(node.inputs).some(
    ([name, value]) =>
      name !== text &&
      typeof value === 'string' &&
      value.trim() !== '' &&
      !REMARKS.test(name) &&
      !STRINGS.test(name) &&
      !isNegative(name),
  );

/** What language models take beside their text, and encoders do not. */
const isModel = (node: Node): boolean => {
  const names = Object.keys(node.inputs);
  return (
    names.some((name) => MODEL.test(name)) && !names.some((name) => /clip|cond|vae|pipe|ctx/i.test(name))
  );
};

const isText = (value: unknown): boolean => typeof value === 'string' || asLink(value) !== undefined;

const nodesOf = (node: Node, seen: Found[]): Node[] => {
  const nodes = seen.flatMap(({ nodes }) => nodes);
  return nodes.length > 0 ? [...new Set(nodes)] : [node];
};

const doubtOf = (seen: Found[]): string | null => seen.find(({ doubt }) => doubt !== null)?.doubt ?? null;
