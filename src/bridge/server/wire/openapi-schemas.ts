/** The wire schemas as JSON schema, for the OpenAPI document. */
import { z } from 'zod';
import * as wire from './schemas.ts';

/** Schemas that the document names; the rest is inlined. */
const NAMED = {
  ScoreRequest: wire.scoreBody,
  UploadRequest: wire.uploadRequest,
  ScoreItem: wire.scoreItem,
  RawImage: wire.rawImage,
  PromptRequest: wire.promptBody,
  PromptAnswer: wire.promptAnswer,
  ScoreAnswer: wire.scoreAnswer,
  RankAnswer: wire.rankAnswer,
  ScoreResult: wire.scoreResult,
  ScorersAnswer: wire.scorersAnswer,
  HistoryAnswer: wire.historyAnswer,
  HealthAnswer: wire.healthAnswer,
  ReadyAnswer: wire.readyAnswer,
  Error: wire.errorAnswer,
  ...Object.fromEntries(
    Object.entries(wire.socketMessages).map(([op, schema]) => [
      `Socket${op[0]!.toUpperCase()}${op.slice(1)}`,
      schema,
    ]),
  ),
} as const;

export type SchemaName = Exclude<keyof typeof NAMED, number>;
export type Json = Record<string, unknown>;

/** Points to a named schema. */
export const ref = (name: SchemaName): Json => ({ $ref: `#/components/schemas/${name}` });

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

/** All named schemas as JSON schema. */
export function schemas(): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id });
  const uri = (id: string) => `#/components/schemas/${id}`;
  const made = z.toJSONSchema(registry, { ...TRANSLATION, uri }).schemas;
  return Object.fromEntries(
    Object.entries(made).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

/** The query of `GET /v1/history`, a parameter a field. */
export function historyParameters(): Json[] {
  const { properties = {} } = z.toJSONSchema(wire.historyQuery, TRANSLATION);
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}
