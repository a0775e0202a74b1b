/** Errors as people read them on the terminal. */
import { exitCodeOf, toAssayError } from '../errors.ts';

/** Prints an error for people: what happened, then what to do. */
export function complain(thrown: unknown): number {
  const error = toAssayError(thrown);
  process.stderr.write(`assay: ${error.message}\n  ${error.fix} [${error.code}]\n`);
  if (error.kind === 'internal' && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`);
  return exitCodeOf(error);
}
