/** What a body about a study may meet. */
import type { ErrorCode } from '../../../../errors/table.ts';

export const BODY_ERRORS: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'MALFORMED_BODY',
  'UNSUPPORTED_CONTENT_TYPE',
  'BODY_TOO_LARGE',
  'STALLED',
];
