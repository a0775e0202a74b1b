/** The OpenAPI 3.1 document of `GET /openapi.json`, made from the rows of the routes and ops. */
import { ERRORS, type ErrorCode } from '../../../errors/table.ts';
import { SOCKET_PATH, socketDocs } from '../ops/endpoint.ts';
import type { Ops } from '../ops/table.ts';
import { type AnswerDocs, content, type Json, NamedSchema, named, RETRY_AFTER } from '../routes/docs.ts';
import type { Route } from '../routes/route.ts';
import { parametersOf, refTo, schemas } from './openapi-schemas.ts';
import { errorAnswer } from './schemas.ts';

/** Builds the document; all of it is plain data. */
export function createOpenApi(version: string, routes: readonly Route[], ops: Ops): object {
  const found = namesOf(ops);
  const paths = plain(pathsOf([...routes, socketRow(ops)]), found);
  return {
    openapi: '3.1.0',
    info: { title: 'Assay', version, description: 'Scores AI-generated images.' },
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: schemas(found),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'when started with a token' },
      },
    },
  };
}

const socketRow = (ops: Ops): Described => ({
  method: 'get',
  path: SOCKET_PATH,
  docs: socketDocs([...ops.keys()]),
});

type Names = Map<string, NamedSchema['schema']>;

/** `SocketScore` is the message of the op `score`. */
const namesOf = (ops: Ops): Names =>
  new Map([...ops.values()].map(({ name, message }) => [`Socket${capitalised(name)}`, message]));

const capitalised = (word: string): string => `${word[0]!.toUpperCase()}${word.slice(1)}`;

/** The same with references in the place of named schemas, which it collects. @throws Error for a name used twice */
function plain(value: object, found: Names): object {
  const text = JSON.stringify(value, (_, inner) => {
    if (!(inner instanceof NamedSchema)) return inner;
    const { name, schema } = inner;
    if ((found.get(name) ?? schema) !== schema) throw new Error(`two schemas are named ${name}`);
    found.set(name, schema);
    return refTo(name);
  });
  return JSON.parse(text);
}

type Described = Pick<Route, 'method' | 'path' | 'docs' | 'always' | 'open'>;

function pathsOf(rows: readonly Described[]): Json {
  const paths: Record<string, Json> = {};
  for (const row of rows) {
    const path = row.path.replaceAll(PARAMETER, '{$1}');
    paths[path] = { ...paths[path], [row.method]: operationOf(row) };
  }
  return paths;
}

/** A part of a path that stands for any text. */
const PARAMETER = /:(\w+)/g;

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(PARAMETER)].map(([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }));

function operationOf({ path, docs, always, open }: Described): Json {
  const { summary, description, query, body, answers, errors = [] } = docs;
  const parameters = [...pathParameters(path), ...(query ? parametersOf(query) : [])];
  return {
    summary,
    description,
    security: open && [],
    parameters: parameters.length > 0 ? parameters : undefined,
    requestBody: body && { required: true, content: body },
    responses: { ...failures(always ? errors : [...errors, 'DRAINING']), ...answers },
  };
}

/** One response per status, listing the codes that come with it. */
function failures(codes: readonly ErrorCode[]): Record<string, AnswerDocs> {
  const all = new Set<ErrorCode>([...codes, 'HOST_REFUSED', 'ORIGIN_REFUSED', 'UNAUTHORIZED', 'INTERNAL']);
  const byStatus = Object.groupBy(all, (code) => String(ERRORS[code].status));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, list]) => [status, failure(status, list!)]),
  );
}

function failure(status: string, codes: ErrorCode[]): AnswerDocs {
  const { message, fix } = ERRORS[codes[0]!];
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n\n'),
    ...(status === '503' ? { headers: RETRY_AFTER } : {}),
    content: content(named('Error', errorAnswer), { error: { code: codes[0], message, fix } }),
  };
}
