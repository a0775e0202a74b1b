/** What a schema finds wrong with a value, in words. */
import type { z } from 'zod';

type Issue = Pick<z.core.$ZodIssue, 'path' | 'message'>;

/** The library's words without its preamble: `expected number, received string`. */
export const plainWords = (message: string): string =>
  message.replace(/^(Invalid (input|option)|Too (small|big)): /, '');

/** Where and what: `image.width: expected number, received string`. */
export const issueInWords = ({ path, message }: Issue): string =>
  `${path.join('.') || 'top level'}: ${plainWords(message)}`;
