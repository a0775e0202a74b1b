/** Errors as people read them on the terminal. */
import { toAssayError } from '../../errors/error.ts';
import { exitCodeOf } from '../../errors/exit.ts';
import { printableLines } from './verdicts.ts';

/**
 * Prints an error: what happened, then what to do.
 *
 * @param asJson for machines, as one line
 */
export function complain(thrown: unknown, asJson = false): number {
  const error = toAssayError(thrown);
  const { code, message, fix } = error;
  process.stderr.write(
    asJson
      ? `${JSON.stringify({ error: { code, message, fix } })}\n`
      : printableLines(`assay: ${message}\n  ${fix} [${code}]\n`),
  );
  if (!asJson && error.kind === 'internal' && error.cause instanceof Error)
    process.stderr.write(`${error.cause.stack}\n`);
  return exitCodeOf(error);
}
