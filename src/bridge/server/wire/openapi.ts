/** The OpenAPI 3.1 document of `GET /openapi.json`, made from the wire schemas. */
import type { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../../errors/table.ts';
import { historyParameters, type Json, ref, type SchemaName, schemas } from './openapi-schemas.ts';
import * as wire from './schemas.ts';

const content = (schema: Json, types: string[], example?: unknown): Json =>
  Object.fromEntries(types.map((type) => [type, { schema, ...(example === undefined ? {} : { example }) }]));

const ANSWER_TYPES = ['application/json', 'application/msgpack'];

/** One response per status, listing the codes that come with it. */
function failures(codes: ErrorCode[]): Json {
  const all: ErrorCode[] = [...codes, 'HOST_REFUSED', 'ORIGIN_REFUSED', 'UNAUTHORIZED', 'INTERNAL'];
  const byStatus = Object.groupBy(all, (code) => String(ERRORS[code].status));
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, list]) => [status, failure(status, list!)]),
  );
}

function failure(status: string, codes: ErrorCode[]): Json {
  const { message, fix } = ERRORS[codes[0]!];
  const wait = { description: 'Seconds to wait before the next try', schema: { type: 'integer' } };
  return {
    description: codes.map((code) => `\`${code}\`: ${ERRORS[code].message}`).join('\n\n'),
    ...(status === '503' ? { headers: { 'Retry-After': wait } } : {}),
    content: content(ref('Error'), ANSWER_TYPES, { error: { code: codes[0], message, fix } }),
  };
}

const answer = (description: string, name: SchemaName, example?: unknown): Json => ({
  description,
  content: content(ref(name), ANSWER_TYPES, example),
});

const textAnswer = (description: string, type: string): Json => ({
  description,
  content: content({ type: 'string' }, [type]),
});

/** Pixel data of an image of one black pixel, for the examples. */
const RAW_EXAMPLE = { format: 'rgb8', width: 1, height: 1, data: 'AAAA' };
const REQUEST_EXAMPLE = { prompt: 'a cat', items: [{ id: 'a1', source: 'cat.png', image: RAW_EXAMPLE }] };

const EXAMPLE: z.infer<typeof wire.scoreResult> = {
  id: 'a1',
  source: 'cat.png',
  sha256: '709e80c88487a2411e1ee4dfb9f22a861492d20c4765150c0c794abd70f8147c',
  width: 1024,
  height: 1024,
  prompt: 'a cat',
  promptSource: { from: 'request', original: null, certain: true, reason: null },
  scorer: {
    id: 'assay-lite',
    version: '1.0.0',
    variant: 'int8',
    weights: 'sha256:…',
    calibration: 'sha256:…',
  },
  aspects: {
    quality: { score: 3.42, range: [0, 5], percentile: 0.81, interval: [2.6, 4.2], coverage: 0.9 },
    alignment: { score: 2.9, range: [0, 5], percentile: 0.66, interval: [1.8, 3.9], coverage: 0.9 },
    authenticity: null,
  },
  reward: 0.63,
  guards: [],
  decision: 'accept',
  reasons: [],
  notes: [],
  timings: { decodeMs: 4.1, queueMs: 0.2, inferMs: 9.8, totalMs: 14.6 },
  error: null,
};

const SCORE_ERRORS: ErrorCode[] = [
  'BAD_REQUEST',
  'MALFORMED_BODY',
  'UNSUPPORTED_CONTENT_TYPE',
  'BODY_TOO_LARGE',
  'STALLED',
  'TOO_MANY_IMAGES',
  'UNKNOWN_SCORER',
  'BUSY',
  'DRAINING',
  'DEADLINE',
  'MODEL_LOAD_FAILED',
];

const PROMPT_ERRORS: ErrorCode[] = [
  'BAD_REQUEST',
  'MALFORMED_BODY',
  'UNSUPPORTED_CONTENT_TYPE',
  'IMAGE_ENCODING',
  'BODY_TOO_LARGE',
  'DRAINING',
  'DEADLINE',
];

const requestBody = (): Json => ({
  required: true,
  content: {
    ...content(ref('ScoreRequest'), ANSWER_TYPES, REQUEST_EXAMPLE),
    'multipart/form-data': {
      schema: {
        type: 'object',
        properties: {
          request: ref('UploadRequest'),
          prompt: { type: 'string', description: 'as the field of `request`, for callers without JSON' },
          scorer: { type: 'string', description: 'as the field of `request`, for callers without JSON' },
        },
        additionalProperties: { type: 'string', format: 'binary', description: 'an image file' },
      },
      encoding: { request: { contentType: 'application/json' } },
    },
  },
});

const scoring = (summary: string, ok: Json): Json => ({
  summary,
  requestBody: requestBody(),
  responses: { '200': ok, ...failures(SCORE_ERRORS) },
});

const reading = (
  summary: string,
  ok: Json,
  codes: ErrorCode[] = ['DRAINING'],
  parameters: Json[] = [],
): Json => ({
  summary,
  ...(parameters.length > 0 ? { parameters } : {}),
  responses: { '200': ok, ...failures(codes) },
});

function readyOperation(): Json {
  const operation = reading(
    'Whether the default scorer is loaded and warm',
    answer('ready', 'ReadyAnswer'),
    [],
  );
  const notReady = {
    ...answer('not ready, and why', 'ReadyAnswer', { ready: false, reason: 'scorer assay-lite is loading' }),
    headers: {
      'Retry-After': { description: 'Seconds to wait before the next try', schema: { type: 'integer' } },
    },
  };
  return { ...operation, responses: { ...(operation.responses as Json), '503': notReady } };
}

function paths(): Json {
  const rankExample = { results: [EXAMPLE], order: [0], best: 0 };
  return {
    '/v1/score': {
      post: scoring(
        'Score images',
        answer(
          'Results in request order; past the deadline with the error DEADLINE in those that are not finished',
          'ScoreAnswer',
          { results: [EXAMPLE] },
        ),
      ),
    },
    '/v1/rank': {
      post: scoring(
        'Rank images of one prompt',
        answer('Results, and the best first', 'RankAnswer', rankExample),
      ),
    },
    '/v1/prompt': {
      post: {
        summary: 'Find the prompt in a workflow or an image file; nothing is scored',
        requestBody: { required: true, content: content(ref('PromptRequest'), ANSWER_TYPES) },
        responses: {
          '200': answer('What was found, or why nothing', 'PromptAnswer'),
          ...failures(PROMPT_ERRORS),
        },
      },
    },
    '/v1/scorers': { get: reading('Installed scorers', answer('Scorers', 'ScorersAnswer')) },
    '/v1/history': {
      get: reading(
        'Recorded verdicts, newest first',
        answer('One page', 'HistoryAnswer', { entries: [], next: null }),
        ['BAD_REQUEST', 'STORE_UNAVAILABLE', 'DRAINING'],
        historyParameters(),
      ),
    },
    '/v1/ws': {
      get: {
        summary: 'Websocket: many requests in flight, answers by id',
        description: SOCKET_TEXT,
        responses: {
          '101': { description: 'switched to assay.v1.msgpack or assay.v1.json' },
          ...failures(['BAD_REQUEST', 'DRAINING']),
        },
      },
    },
    '/healthz': {
      get: { ...reading('Whether the process answers', answer('alive', 'HealthAnswer'), []), security: [] },
    },
    '/readyz': { get: readyOperation() },
    '/metrics': { get: reading('Prometheus metrics', textAnswer('Text format 0.0.4', 'text/plain'), []) },
    '/openapi.json': {
      get: reading('This document', {
        description: 'OpenAPI 3.1',
        content: content({ type: 'object' }, ANSWER_TYPES),
      }),
    },
    '/': { get: reading('What this is', textAnswer('A line for people', 'text/html')) },
  };
}

const SOCKET_TEXT = `Messages are \`{id, op, …}\` with op ${Object.keys(wire.socketMessages).join(', ')} (schemas \`Socket…\`).
Each is answered once, in any order: \`{id, ok: true, …}\` or \`{id, ok: false, error}\`.
\`subscribe\` starts events \`{event: "result", client, result}\`; one that is too slow gets \`{event: "lost", count}\`.
A request past its deadline is answered with what is finished; the other items carry the error DEADLINE.
Large messages are read as there is room for them; \`cancel\` and \`ping\` are answered at once.
Answer pings: a peer that is silent for ten minutes is dropped. A client on the same machine may mask its frames
with zeros; the daemon then takes raw pixels as they are, which saves most of its time for them.`;

/** Builds the document; all of it is plain data. */
export function createOpenApi(version: string): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'Assay', version, description: 'Scores AI-generated images.' },
    security: [{}, { token: [] }],
    paths: paths(),
    components: {
      schemas: schemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'when started with a token' },
      },
    },
  };
}
