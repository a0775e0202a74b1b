/** What a route says of itself to the OpenAPI document. */
import type { z } from 'zod';
import type { ErrorCode } from '../../../errors/table.ts';

export type Json = Record<string, unknown>;

/** A schema that the document names: a reference stands wherever it is used. */
export class NamedSchema {
  readonly name: string;
  readonly schema: z.ZodType;

  constructor(name: string, schema: z.ZodType) {
    this.name = name;
    this.schema = schema;
  }
}

export const named = (name: string, schema: z.ZodType): NamedSchema => new NamedSchema(name, schema);

/** By media type. */
export type Content = Record<string, { schema: NamedSchema | Json; example?: unknown; encoding?: Json }>;

export interface AnswerDocs {
  description: string;
  headers?: Json;
  content?: Content;
}

export interface RouteDocs {
  summary: string;
  description?: string;
  /** A parameter a field. */
  query?: z.ZodType;
  body?: Content;
  /** By status. */
  answers: Record<number, AnswerDocs>;
  /** Beside those of every route (and DRAINING, unless it is always answered); the first of a status is its example. */
  errors?: readonly ErrorCode[];
}

/** The encodings of the wire, which most bodies and answers come in. */
const ENCODINGS = ['application/json', 'application/msgpack'];

export const content = (schema: NamedSchema | Json, example?: unknown, types = ENCODINGS): Content =>
  Object.fromEntries(types.map((type) => [type, { schema, example }]));

export const answer = (
  description: string,
  schema: NamedSchema | Json,
  example?: unknown,
  types?: string[],
): AnswerDocs => ({ description, content: content(schema, example, types) });

export const textAnswer = (description: string, type: string): AnswerDocs =>
  answer(description, { type: 'string' }, undefined, [type]);

/** Of answers that say when to try again. */
export const RETRY_AFTER: Json = {
  'Retry-After': { description: 'Seconds to wait before the next try', schema: { type: 'integer' } },
};
