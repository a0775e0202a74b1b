/** Step 1, receive: unknown data -> one typed message, or BAD_REQUEST that names the path and the near field. */
import type { z } from 'zod';
import { type AssayError, fail } from '../../../errors/error.ts';
import { nearest } from '../../../errors/nearest.ts';
import { plainWords } from '../../../lib/issue.ts';

type Issue = z.core.$ZodIssue;

/** Characters of a caller's own words that an error message repeats. */
export const MAX_ECHO = 64;

/** `items[2].image`; empty at the top. */
const pathText = (path: PropertyKey[]): string =>
  path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');

/** Field names of the object at `path` inside a schema; looks through wrappers and into each branch of a union. */
function fieldsAt(schema: z.core.$ZodType, path: PropertyKey[]): string[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  if ('innerType' in def) return fieldsAt(def.innerType as z.core.$ZodType, path);
  if (def.type === 'union') return def.options.flatMap((option) => fieldsAt(option, path));
  if (def.type === 'array') return fieldsAt(def.element, path.slice(1));
  if (def.type !== 'object') return [];
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(def.shape);
  const name = String(key);
  return Object.hasOwn(def.shape, name) ? fieldsAt(def.shape[name]!, rest) : [];
}

/** Of a union, the branch that got furthest: the caller most likely meant that one. */
function deepest(issue: Issue, base: PropertyKey[]): { issue: Issue; path: PropertyKey[] } {
  const path = [...base, ...issue.path];
  if (issue.code !== 'invalid_union') return { issue, path };
  const inner = issue.errors.flat().find((i) => i.path.length > 0 || i.code === 'unrecognized_keys');
  return inner ? deepest(inner, path) : { issue, path };
}

const inWords = (message: string): string =>
  plainWords(message).replace('received undefined', 'nothing came');

/** What the branches of a union expected, or the issue's own words. */
function complaint(issue: Issue): string {
  if (issue.code !== 'invalid_union') return inWords(issue.message);
  const wanted = issue.errors
    .flat()
    .map((i) => ('expected' in i ? String(i.expected) : i.message.replace('expected ', '')));
  return `expected ${[...new Set(wanted)].join(' or ')}`;
}

function unknownField(
  keys: string[],
  path: PropertyKey[],
  schema: z.core.$ZodType,
  where: PropertyKey[],
): string {
  const known = fieldsAt(schema, path);
  const key = keys[0]!.slice(0, MAX_ECHO);
  const near = nearest(key, known);
  const hint = near ? `did you mean "${near}"?` : `known are ${known.join(', ')}`;
  return `unknown field "${pathText([...where, ...path, key])}"; ${hint}`;
}

function badRequest(error: z.core.$ZodError, schema: z.core.$ZodType, where: PropertyKey[]): AssayError {
  const { issue, path } = deepest(
    error.issues.find((i) => i.code === 'unrecognized_keys') ?? error.issues[0]!,
    [],
  );
  if (issue.code === 'unrecognized_keys')
    return fail('BAD_REQUEST', { reason: unknownField(issue.keys, path, schema, where) });
  const text = pathText([...where, ...path]);
  return fail('BAD_REQUEST', { reason: `${text === '' ? 'the message' : text}: ${complaint(issue)}` });
}

/**
 * Parses one message with its schema.
 *
 * @param where path prefix for the error message
 * @throws BAD_REQUEST naming the path, what was expected and what came
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: PropertyKey[] = [],
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw badRequest(parsed.error, schema, where);
}

/**
 * Checks the number of items before the schema looks at each of them.
 *
 * @throws BAD_REQUEST
 */
export function checkItemCount(value: unknown, maxItems: number): void {
  const items = (value as { items?: unknown } | null | undefined)?.items;
  if (Array.isArray(items) && items.length > maxItems) throw tooManyItems(items.length, maxItems);
}

export const tooManyItems = (found: number, maxItems: number): AssayError =>
  fail('BAD_REQUEST', { reason: `items: ${found} came, the limit is ${maxItems} (limits.maxItems)` });
