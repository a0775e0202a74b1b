/** The text of an input: a literal, or what the nodes behind its link make of theirs. */
import { familiesOf } from './families.ts';
import { type Family, type Reader, sideOf } from './family.ts';
import { asLink, isNegative, type Link, linksIn, type Node, titleOf, Unknowable } from './graph.ts';
import { checked, type Found, joined, MOST_DEEP, notKnown, type Search } from './search.ts';

/** Inputs of nodes that hold or change strings. */
const STRINGS =
  /^(?:value|text|string|str|prompt|positive|user_prompt|positive_prompt|content|input|anything)(?:_?[a-z0-9])?$/i;
/** Names of classes that do nothing with a single text but hold it or hand it on. */
const HOLDERS = /text|string|prompt|primitive|literal|constant|note|reroute|value|any/i;
/** Links by which no text comes. */
const ASIDE = /clip|model|vae|image|pixels|mask|latent|seed|control|noise|sigmas/i;

export interface Texts {
  /** @throws Unknowable */
  of(value: unknown): Found | null;
  /** What is known of a node's inputs, for rules. `seen` keeps what it found. */
  reader(node: Node, seen?: Found[]): Reader;
}

export function createTexts(search: Search): Texts {
  const known = new Map<string, Found | null>();
  let depth = 0;

  function of(value: unknown): Found | null {
    if (typeof value === 'string')
      return value.trim() === '' ? null : { text: value, nodes: [], doubt: null };
    const link = asLink(value);
    return link ? behind(link) : null;
  }

  function behind(link: Link): Found | null {
    const key = `${link[0]} ${link[1]}`;
    if (known.has(key)) return known.get(key)!;
    search.step();
    known.set(key, null); // what leads to itself adds nothing
    if (depth >= MOST_DEEP) throw new Unknowable('its texts are nested too deeply');
    depth++;
    const node = search.lookup(link[0]);
    const found = node ? made(node, link[1]) : search.miss(`node ${link[0]} is not in the workflow`);
    depth--;
    known.set(key, found);
    return found;
  }

  function made(node: Node, output: number): Found | null {
    for (const row of familiesOf(node.class)) {
      if (row.unknowable !== undefined) throw notKnown(node, row.unknowable);
      if (row.picks) return picked(node, row.picks);
      if (row.says) return said(node, row.says);
      if (row.encodes) return styled(node, row, output);
    }
    return plain(node);
  }

  function picked(node: Node, pick: NonNullable<Family['picks']>): Found | null {
    const name = pick(reader(node));
    return name === null ? null : at(node, name);
  }

  function said(node: Node, say: NonNullable<Family['says']>): Found | null {
    const seen: Found[] = [];
    const text = checked(say(reader(node, seen)));
    if (text.trim() === '') return null;
    return { text, nodes: nodesOf(node, seen), doubt: doubtOf(seen) };
  }

  /** Nodes with both prompts have the positive one first. */
  function styled(node: Node, row: Family, output: number): Found | null {
    const side = output === 1 && search.usesOf(node.id).positive.length === 0 ? 'negative' : search.side;
    const name = sideOf(row.encodes!, side).find((n) => node.inputs[n] !== undefined);
    const found = name === undefined ? null : at(node, name);
    const doubt = row.partly?.(reader(node)) ?? null;
    return found && { ...found, doubt: found.doubt ?? doubt };
  }

  /** A node that no rule knows. */
  function plain(node: Node): Found | null {
    const names = Object.keys(node.inputs).filter((name) => STRINGS.test(name) && isText(node.inputs[name]));
    const sided = names.filter((name) => isNegative(name) === (search.side === 'negative'));
    const fitting = sided.length > 0 ? sided : names;
    if (fitting.length > 1) return several(node, fitting);
    if (fitting.length === 1) return single(node, fitting[0]!);
    const onward = linksIn(node).filter(([name]) => !ASIDE.test(name));
    return onward.length === 1 ? single(node, onward[0]![0]) : null;
  }

  function single(node: Node, name: string): Found | null {
    const found = at(node, name);
    const others = linksIn(node).filter(
      ([other]) => other !== name && !ASIDE.test(other) && !STRINGS.test(other),
    );
    if (found && others.some(([other]) => at(node, other) !== null))
      throw notKnown(node, 'it is not known, and another text comes into it');
    if (!found || HOLDERS.test(node.class) || node.class === '') return found;
    return { ...found, doubt: found.doubt ?? `${titleOf(node)} is not known, and may change the text` };
  }

  function several(node: Node, names: string[]): Found | null {
    const glue = ['delimiter', 'separator', 'sep']
      .map((name) => node.inputs[name])
      .find((v) => typeof v === 'string');
    const parts = names.toSorted().map((name) => at(node, name));
    const texts = parts.filter((part) => part !== null);
    if (new Set(texts.map(({ text }) => text)).size <= 1) return texts[0] ?? null;
    if (typeof glue !== 'string') throw notKnown(node, 'it is not known, and makes a text of several');
    const doubt = `${titleOf(node)} is not known, and may put its texts together otherwise`;
    return { ...joined(texts, glue)!, doubt };
  }

  function at(node: Node, name: string): Found | null {
    const found = of(node.inputs[name]);
    return found && { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  function reader(node: Node, seen: Found[] = []): Reader {
    return {
      node,
      side: search.side,
      text(name) {
        const value = node.inputs[name];
        if (typeof value === 'number' || typeof value === 'boolean') return String(value);
        const found = at(node, name);
        if (found) seen.push(found);
        return found?.text ?? '';
      },
      spend: search.step,
      value: (name) => constant(node.inputs[name], node),
      names: (pattern) =>
        Object.keys(node.inputs)
          .filter((name) => pattern.test(name))
          .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    };
  }

  /** A literal, or that of a node that holds nothing else. */
  function constant(value: unknown, user: Node): unknown {
    let link = asLink(value);
    if (!link) return value;
    for (let hops = 0; link && hops < 20; hops++) {
      const node = search.lookup(link[0]);
      const values: unknown[] = node ? Object.values(node.inputs) : [];
      if (values.length !== 1) break;
      if (!Array.isArray(values[0])) return values[0];
      link = asLink(values[0]);
    }
    throw notKnown(user, 'a choice of it is made when the workflow runs');
  }

  return { of, reader };
}

const isText = (value: unknown): boolean => typeof value === 'string' || asLink(value) !== undefined;

const nodesOf = (node: Node, seen: Found[]): Node[] => {
  const nodes = seen.flatMap(({ nodes }) => nodes);
  return nodes.length > 0 ? [...new Set(nodes)] : [node];
};

const doubtOf = (seen: Found[]): string | null => seen.find(({ doubt }) => doubt !== null)?.doubt ?? null;
