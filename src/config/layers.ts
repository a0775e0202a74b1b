/** Settings from several places, of which the higher ones win key by key. */

export interface Layer {
  /** For error messages: `flags`, `environment`, the path of a file. */
  name: string;
  values: Record<string, unknown>;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects are merged, all else is replaced. */
function merge(low: unknown, high: unknown): unknown {
  if (!isPlain(low) || !isPlain(high)) return high;
  const merged = new Map(Object.entries(low));
  for (const [key, value] of Object.entries(high))
    merged.set(key, merged.has(key) ? merge(merged.get(key), value) : value);
  return Object.fromEntries(merged);
}

/** @param layers the lowest first */
export const merged = (layers: Layer[]): Record<string, unknown> =>
  layers.reduce<unknown>((low, { values }) => merge(low, values), {}) as Record<string, unknown>;

/** The value at a path; undefined when there is none. */
export function lookUp(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The highest layer that says something of a path, or of what the path lies in. */
export function sourceOf(layers: Layer[], path: readonly PropertyKey[]): Layer | undefined {
  for (let length = path.length; length > 0; length--) {
    const found = layers.findLast(({ values }) => lookUp(values, path.slice(0, length)) !== undefined);
    if (found) return found;
  }
  return undefined;
}

/** Of settings that say the same thing in two ways, those of the highest layer stay; in one layer both. */
export function withRivals(layers: Layer[], one: string[], other: string[]): Layer[] {
  const top = layers.findLastIndex(({ values }) =>
    [...one, ...other].some((key) => values[key] !== undefined),
  );
  const says = (keys: string[]) => keys.some((key) => layers[top]?.values[key] !== undefined);
  const beaten = [...(says(one) ? other : []), ...(says(other) ? one : [])];
  return layers.map((layer, i) => (i >= top ? layer : { ...layer, values: without(layer.values, beaten) }));
}

const without = (values: Record<string, unknown>, keys: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([key]) => !keys.includes(key)));
