/** The settings of a schema one by one, so that the schema alone says what there is and of which kind. */
import { z } from 'zod';

export type Kind = 'text' | 'number' | 'flag' | 'list' | 'json';

/** A setting that holds no further ones. */
export interface Leaf {
  /** Keys from the top, e.g. `['limits', 'maxItems']`. */
  path: string[];
  kind: Kind;
  /** Its environment variable, e.g. `ASSAY_LIMITS_MAX_ITEMS`. */
  variable: string;
}

const variableOf = (path: string[]): string =>
  `ASSAY_${path.join('_').replace(/[A-Z]/g, '_$&').toUpperCase()}`;

/** What a schema is without its defaults and options. */
function bare(schema: z.ZodType): z.ZodType {
  const wraps =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return wraps ? bare(schema.unwrap() as z.ZodType) : schema;
}

function kindOf(schema: z.ZodType): Kind {
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'flag';
  if (schema instanceof z.ZodArray) return 'list';
  return schema instanceof z.ZodRecord ? 'json' : 'text';
}

/** The schemas below one, by key; undefined for a leaf. */
function below(schema: z.ZodType): [string, z.ZodType][] | undefined {
  if (schema instanceof z.ZodObject) return Object.entries(schema.shape as Record<string, z.ZodType>);
  if (!(schema instanceof z.ZodRecord && schema.keyType instanceof z.ZodEnum)) return undefined;
  return schema.keyType.options.map((key) => [String(key), schema.valueType as z.ZodType]);
}

/** All settings of an object's schema. */
export function leavesOf(schema: z.ZodType, path: string[] = []): Leaf[] {
  const inner = bare(schema);
  const members = below(inner);
  if (members) return members.flatMap(([key, member]) => leavesOf(member, [...path, key]));
  return [{ path, kind: kindOf(inner), variable: variableOf(path) }];
}

/** Keys that may stand at a path; undefined when none may. */
export function keysAt(schema: z.ZodType, path: PropertyKey[]): string[] | undefined {
  const members = below(bare(schema));
  const [first, ...rest] = path;
  if (first === undefined) return members?.map(([key]) => key);
  const next = members?.find(([key]) => key === first)?.[1];
  return next && keysAt(next, rest);
}
