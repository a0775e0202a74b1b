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
  /** The node that stands for this level on the level above. */
  host?: { level: Level; node: EditorNode };
}

const [INPUTS, OUTPUTS] = ['-10', '-20'];
const MOST_NODES = 20_000;
const MOST_HOPS = 200;
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

function readLevel(value: Json, prefix: string, host?: Level['host']): Level {
  const nodes = list(value.nodes).slice(0, MOST_NODES).flatMap(readNode);
  const wires = new Map(
    list(value.links)
      .slice(0, 4 * MOST_NODES)
      .flatMap(readWire),
  );
  return { prefix, nodes: new Map(nodes.map((node) => [node.id, node])), wires, ...(host && { host }) };
}

/** A graph in API format; ids inside of subgraphs are `7:3`. */
export function fromEditor(workflow: Json): Record<string, { class_type: string; inputs: Json }> {
  const definitions = isObject(workflow.definitions) ? list(workflow.definitions.subgraphs) : [];
  const kinds = new Map(definitions.filter(isObject).map((kind) => [String(kind.id), kind]));
  const inner = new Map<EditorNode, Level>();
  const graph: Record<string, { class_type: string; inputs: Json }> = {};
  let left = MOST_NODES;

  function enter(level: Level, depth: number): void {
    for (const node of level.nodes.values()) {
      const kind = kinds.get(node.type);
      if (!kind || depth >= MOST_LEVELS || left <= 0) continue;
      const inside = readLevel(kind, `${level.prefix}${node.id}:`, { level, node });
      inner.set(node, inside);
      left -= inside.nodes.size;
      enter(inside, depth + 1);
    }
  }

  /** What arrives over a wire: a link in API format, a literal, or undefined. */
  function arriving(level: Level, id: number | null, hops = 0): unknown {
    const wire = id === null ? undefined : level.wires.get(id);
    if (!wire || hops > MOST_HOPS) return undefined;
    if (wire.from === INPUTS) return outside(level, wire.slot, hops);
    const node = level.nodes.get(wire.from);
    return node && leaving(level, node, wire.slot, hops + 1);
  }

  function outside(level: Level, slot: number, hops: number): unknown {
    const input = level.host?.node.inputs[slot];
    if (!input) return undefined;
    const found = arriving(level.host!.level, input.link, hops + 1);
    return found ?? namedValues(level.host!.node)[input.name];
  }

  function leaving(level: Level, node: EditorNode, slot: number, hops: number): unknown {
    if (node.mode === 2) return undefined;
    if (node.mode === 4) return bypassed(level, node, slot, hops);
    if (/^Reroute/.test(node.type)) return arriving(level, node.inputs[0]?.link ?? null, hops);
    if (node.type === 'PrimitiveNode') return list(node.values)[0];
    if (/^(?:easy )?getNode$/i.test(node.type)) return fetched(level, node, hops);
    const inside = inner.get(node);
    if (!inside) return [level.prefix + node.id, slot];
    const wires = [...inside.wires].filter(([, wire]) => wire.to === OUTPUTS && wire.toSlot === slot);
    return wires[0] ? arriving(inside, wires[0][0], hops) : undefined;
  }

  /** A bypassed node hands on the first input of the output's type. */
  function bypassed(level: Level, node: EditorNode, slot: number, hops: number): unknown {
    const type = node.outputs[slot];
    const same = node.inputs.filter((input) => input.type === type && input.link !== null);
    return arriving(
      level,
      (node.inputs[slot]?.type === type ? node.inputs[slot] : same[0])?.link ?? null,
      hops,
    );
  }

  function fetched(level: Level, node: EditorNode, hops: number): unknown {
    const name = list(node.values)[0];
    for (let at: Level | undefined = level; at; at = at.host?.level)
      for (const other of at.nodes.values())
        if (/^(?:easy )?setNode$/i.test(other.type) && list(other.values)[0] === name)
          return arriving(at, other.inputs[0]?.link ?? null, hops + 1);
    return undefined;
  }

  function inputsOf(level: Level, node: EditorNode): Json {
    const links = node.inputs.flatMap(({ name, link }) => {
      const value = arriving(level, link);
      return value === undefined ? [] : [[name, value] as const];
    });
    return { ...namedValues(node), ...Object.fromEntries(links) };
  }

  function write(level: Level): void {
    for (const node of level.nodes.values()) {
      if (node.mode === 2 || node.mode === 4 || inner.has(node)) continue;
      graph[level.prefix + node.id] = { class_type: node.type, inputs: inputsOf(level, node) };
    }
  }

  const top = readLevel(workflow, '');
  enter(top, 0);
  for (const level of [top, ...inner.values()]) write(level);
  return graph;
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
  const named: Json = {};
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
