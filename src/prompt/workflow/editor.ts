/**
 * Workflows as ComfyUI's editor saves them, as graphs in API format. The editor runs some nodes itself (reroutes,
 * primitives, get and set, bypasses, subgraphs), so they are resolved here. It does not always name the values of a node:
 * those without a name are left out, and whatever hangs on them is not found.
 */
import { isObject } from './graph.ts';
import { WIDGETS } from './widgets.ts';

type Json = Record<string, unknown>;
interface Slot {
  name: string;
  type: string;
  link: number | null;
  widget?: boolean;
}
interface EditorNode {
  id: string;
  type: string;
  /** 2: muted; 4: bypassed. */
  mode: number;
  inputs: Slot[];
  outputs: string[];
  values: unknown;
}
interface Wire {
  from: string;
  slot: number;
  to: string;
  toSlot: number;
}
/** The top level, or the inside of one subgraph where it is used. */
interface Level {
  prefix: string;
  nodes: Map<string, EditorNode>;
  wires: Map<number, Wire>;
  /** Wires that leave a subgraph, by the number of its output. */
  exits: Map<number, number>;
  /** Nodes that keep what arrives for others, by its name. */
  keepers: Map<unknown, EditorNode>;
  /** The node that stands for this level on the level above. */
  host?: { level: Level; node: EditorNode };
}

const [INPUTS, OUTPUTS] = ['-10', '-20'];
const MOST_NODES = 4000;
const MOST_WIRES = 4 * MOST_NODES;
/** Nodes that one input is followed through, and all of them together. */
const MOST_HOPS = 100;
const MOST_STEPS = 40_000;
const MOST_LEVELS = 8;

export const isEditorFormat = (value: unknown): value is Json =>
  isObject(value) && Array.isArray(value.nodes);

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

function readSlot(value: unknown): Slot {
  const slot = isObject(value) ? value : {};
  const link = typeof slot.link === 'number' ? slot.link : null;
  return {
    name: String(slot.name ?? ''),
    type: String(slot.type ?? ''),
    link,
    widget: isObject(slot.widget),
  };
}

function readNode(value: unknown): EditorNode[] {
  if (!isObject(value)) return [];
  const { id, type, mode, inputs, outputs, widgets_values: values } = value;
  return [
    {
      ...{ id: String(id), type: String(type), mode: Number(mode ?? 0), values },
      inputs: list(inputs).slice(0, 200).map(readSlot),
      outputs: list(outputs)
        .slice(0, 200)
        .map((slot) => readSlot(slot).type),
    },
  ];
}

function readWire(value: unknown): [number, Wire][] {
  const [id, from, slot, to, toSlot] = Array.isArray(value)
    ? value
    : isObject(value)
      ? [value.id, value.origin_id, value.origin_slot, value.target_id, value.target_slot]
      : [];
  if (typeof id !== 'number') return [];
  return [[id, { from: String(from), slot: Number(slot), to: String(to), toSlot: Number(toSlot) }]];
}

const KEEPER = /^(?:easy )?setNode$/i;
/** Nodes that are the editor's own, and never run. */
const OWN = /^(?:Reroute.*|PrimitiveNode|(?:easy )?[gs]etNode|Note|MarkdownNote)$/i;

function readLevel(value: Json, prefix: string, host?: Level['host']): Level {
  const nodes = list(value.nodes).slice(0, MOST_NODES).flatMap(readNode);
  const wires = list(value.links).slice(0, MOST_WIRES).flatMap(readWire);
  const exits = wires.filter(([, { to }]) => to === OUTPUTS).map(([id, { toSlot }]) => [toSlot, id] as const);
  const keepers = nodes
    .filter(({ type }) => KEEPER.test(type))
    .map((node) => [list(node.values)[0], node] as const);
  return {
    prefix,
    nodes: new Map(nodes.map((node) => [node.id, node])),
    wires: new Map(wires),
    exits: new Map(exits),
    keepers: new Map(keepers),
    ...(host && { host }),
  };
}

type ApiGraph = Record<string, { class_type: string; inputs: Json }>;

/** A graph in API format; ids inside of subgraphs are `7:3`. */
export const fromEditor = (workflow: Json): ApiGraph => new Editor(workflow).graph();

class Editor {
  readonly #kinds: ReadonlyMap<string, Json>;
  readonly #inner = new Map<EditorNode, Level>();
  readonly #top: Level;
  readonly #graph: ApiGraph = Object.create(null);
  #left = MOST_NODES;
  #steps = 0;

  constructor(workflow: Json) {
    const definitions = isObject(workflow.definitions) ? list(workflow.definitions.subgraphs) : [];
    this.#kinds = new Map(definitions.filter(isObject).map((kind) => [String(kind.id), kind]));
    this.#top = readLevel(workflow, '');
    this.#enter(this.#top, 0);
  }

  graph(): ApiGraph {
    for (const level of [this.#top, ...this.#inner.values()]) this.#write(level);
    return this.#graph;
  }

  #enter(level: Level, depth: number): void {
    for (const node of level.nodes.values()) {
      const kind = this.#kinds.get(node.type);
      if (!kind || depth >= MOST_LEVELS || this.#left <= 0) continue;
      const inside = readLevel(kind, `${level.prefix}${node.id}:`, { level, node });
      this.#inner.set(node, inside);
      this.#left -= inside.nodes.size;
      this.#enter(inside, depth + 1);
    }
  }

  /** What arrives over a wire: a link in API format, a literal, or undefined. */
  #arriving(level: Level, id: number | null, hops = 0): unknown {
    const wire = id === null ? undefined : level.wires.get(id);
    if (!wire || hops > MOST_HOPS || ++this.#steps > MOST_STEPS) return undefined;
    if (wire.from === INPUTS) return this.#outside(level, wire.slot, hops);
    const node = level.nodes.get(wire.from);
    return node && this.#leaving(level, node, wire.slot, hops + 1);
  }

  #outside(level: Level, slot: number, hops: number): unknown {
    const input = level.host?.node.inputs[slot];
    if (!input) return undefined;
    const found = this.#arriving(level.host!.level, input.link, hops + 1);
    return found ?? namedValues(level.host!.node)[input.name];
  }

  #leaving(level: Level, node: EditorNode, slot: number, hops: number): unknown {
    if (node.mode === 2) return undefined;
    if (node.mode === 4) return this.#bypassed(level, node, slot, hops);
    if (/^Reroute/.test(node.type)) return this.#arriving(level, node.inputs[0]?.link ?? null, hops);
    if (node.type === 'PrimitiveNode') return list(node.values)[0];
    if (/^(?:easy )?getNode$/i.test(node.type)) return this.#fetched(level, node, hops);
    const inside = this.#inner.get(node);
    if (!inside) return [level.prefix + node.id, slot];
    return this.#arriving(inside, inside.exits.get(slot) ?? null, hops);
  }

  /** A bypassed node hands on the first input of the output's type. */
  #bypassed(level: Level, node: EditorNode, slot: number, hops: number): unknown {
    const type = node.outputs[slot];
    const same = node.inputs.filter((input) => input.type === type && input.link !== null);
    return this.#arriving(
      level,
      (node.inputs[slot]?.type === type ? node.inputs[slot] : same[0])?.link ?? null,
      hops,
    );
  }

  /** What a node of the same name keeps, on this level or above. */
  #fetched(level: Level, node: EditorNode, hops: number): unknown {
    const name = list(node.values)[0];
    for (let at: Level | undefined = level; at; at = at.host?.level) {
      const keeper = at.keepers.get(name);
      if (keeper) return this.#arriving(at, keeper.inputs[0]?.link ?? null, hops + 1);
    }
    return undefined;
  }

  #inputsOf(level: Level, node: EditorNode): Json {
    const links = node.inputs.flatMap(({ name, link }) => {
      const value = this.#arriving(level, link);
      return value === undefined ? [] : [[name, value] as const];
    });
    return { ...namedValues(node), ...Object.fromEntries(links) };
  }

  /** Writes the nodes of a level that run. */
  #write(level: Level): void {
    for (const node of level.nodes.values()) {
      if (node.mode === 2 || node.mode === 4 || this.#inner.has(node) || OWN.test(node.type)) continue;
      this.#graph[level.prefix + node.id] = { class_type: node.type, inputs: this.#inputsOf(level, node) };
    }
  }
}

const CONTROLS = new Set(['fixed', 'randomize', 'increment', 'decrement']);
const TYPES: Record<string, string> = {
  STRING: 'string',
  INT: 'number',
  FLOAT: 'number',
  BOOLEAN: 'boolean',
};

/** Values of a node by name: as its slots name them, or as the class is known to have them. */
function namedValues({ type, inputs, values }: EditorNode): Json {
  if (isObject(values)) return values;
  const given = list(values);
  const known = Object.hasOwn(WIDGETS, type) ? WIDGETS[type] : undefined;
  if (known) return Object.fromEntries(known.map((name, at) => [name, given[at]]));
  return bySlots(
    inputs.filter(({ widget }) => widget),
    given,
  );
}

/** Behind a seed stands how it changes. A value of the wrong type says that the slots do not tell the whole. */
function bySlots(slots: Slot[], given: unknown[]): Json {
  const named: Json = Object.create(null);
  let at = 0;
  for (const { name, type } of slots) {
    if (at >= given.length) return named;
    const expected = TYPES[type];
    if (expected !== undefined && typeof given[at] !== expected) return {};
    named[name] = given[at++];
    if (/seed$/.test(name) && CONTROLS.has(String(given[at]))) at++;
  }
  return named;
}
