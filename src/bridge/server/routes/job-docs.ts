/** What the document says of a request for scores. */
import type { z } from 'zod';
import type { ErrorCode } from '../../../errors/table.ts';
import { scoreBody, type scoreResult, uploadRequest } from '../wire/schemas.ts';
import { type Content, content, type NamedSchema, named } from './docs.ts';

/** An image of one black pixel. */
const RAW_EXAMPLE = { format: 'rgb8', width: 1, height: 1, data: 'AAAA' };
const BODY_EXAMPLE = { prompt: 'a cat', items: [{ id: 'a1', source: 'cat.png', image: RAW_EXAMPLE }] };

export const RESULT_EXAMPLE: z.infer<typeof scoreResult> = {
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

const uploadOf = (request: NamedSchema) => ({
  type: 'object',
  properties: {
    request,
    prompt: { type: 'string', description: 'as the field of `request`, for callers without JSON' },
    scorer: { type: 'string', description: 'as the field of `request`, for callers without JSON' },
  },
  additionalProperties: { type: 'string', format: 'binary', description: 'an image file' },
});

const NPY = {
  type: 'string',
  format: 'binary',
  description:
    'uint8 [number, height, width, 3 or 4] as np.save writes it; one line of JSON may come before it, with the other fields, and items without images',
};

/** The forms that a job comes in. */
export const jobBody = (message: NamedSchema, request: NamedSchema): Content => ({
  ...content(message, BODY_EXAMPLE),
  'multipart/form-data': {
    schema: uploadOf(request),
    encoding: { request: { contentType: 'application/json' } },
  },
  'application/x-npy': { schema: NPY },
});

export const JOB_BODY = jobBody(named('ScoreRequest', scoreBody), named('UploadRequest', uploadRequest));

export const JOB_ERRORS: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'MALFORMED_BODY',
  'UNSUPPORTED_CONTENT_TYPE',
  'BODY_TOO_LARGE',
  'ARRAY_UNFIT',
  'STALLED',
  'TOO_MANY_IMAGES',
  'KEY_REUSED',
  'UNKNOWN_SCORER',
  'BUSY',
  'CLIENT_BUSY',
  'DRAINING',
  'DEADLINE',
  'MODEL_LOAD_FAILED',
];
