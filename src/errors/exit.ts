/** What a command line ends with. */
import type { AssayError } from './error.ts';
import type { ErrorCode } from './table.ts';

/**
 * Exit codes of the command line: ok, bug, wrong usage or setup, some items failed, host or daemon unreachable, and
 * what shells use for a command that Ctrl-C stopped.
 */
export const EXIT = { ok: 0, internal: 1, usage: 2, someFailed: 3, unreachable: 4, stopped: 130 } as const;

const UNREACHABLE: ReadonlySet<ErrorCode> = new Set([
  ...(['HOST_UNREACHABLE', 'HOST_FAILED', 'PROMPT_LOST'] as const),
  ...(['ENDPOINT_UNREACHABLE', 'ENDPOINT_BUSY', 'ENDPOINT_FAILED'] as const),
]);

/** Exit code for an error that ends a command. */
export function exitCodeOf(error: AssayError): number {
  if (UNREACHABLE.has(error.code)) return EXIT.unreachable;
  return error.kind === 'internal' ? EXIT.internal : EXIT.usage;
}
