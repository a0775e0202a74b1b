/** The wire schemas as JSON schema, for the OpenAPI document. */
import { z } from 'zod';
import type { Json } from '../routes/docs.ts';
import * as wire from './schemas.ts';

/** Parts of several messages, which the document names, too; the rest is inlined. */
const PARTS = { ScoreItem: wire.scoreItem, RawImage: wire.rawImage, ScoreResult: wire.scoreResult };

const uri = (name: string): string => `#/components/schemas/${name}`;

/** Points to a named schema. */
export const refTo = (name: string): Json => ({ $ref: uri(name) });

const TRANSLATION = {
  io: 'input',
  unrepresentable: 'any',
  override: ({
    zodSchema,
    jsonSchema,
  }: {
    zodSchema: z.core.$ZodType;
    jsonSchema: z.core.JSONSchema.BaseSchema;
  }) => {
    // JSON schema has no binary type
    if (zodSchema === wire.bytes) Object.assign(jsonSchema, { type: 'string', format: 'binary' });
    if (zodSchema === wire.graph || zodSchema._zod.parent === wire.graph)
      Object.assign(jsonSchema, { type: 'object', additionalProperties: true });
  },
} as const;

/** The named schemas and their parts as JSON schema. */
export function schemas(names: Iterable<[string, z.ZodType]>): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of [...Object.entries(PARTS), ...names]) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { ...TRANSLATION, uri }).schemas;
  return Object.fromEntries(
    Object.entries(made).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

/** A query as parameters, one a field. */
export function parametersOf(query: z.ZodType): Json[] {
  const { properties = {} } = z.toJSONSchema(query, TRANSLATION);
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}
