/** The one class of errors that users meet, made from the table. */
import { type Entry, ERRORS, type ErrorCode, type ErrorKind } from './table.ts';

type Placeholders<M extends string> = M extends `${string}{${infer K}}${infer Rest}`
  ? K | Placeholders<Rest>
  : never;
type Details<C extends ErrorCode> = Record<
  Placeholders<(typeof ERRORS)[C]['message']> | Placeholders<(typeof ERRORS)[C]['fix']>,
  string | number
>;

const fill = (template: string, details: Record<string, string | number>): string =>
  template.replace(/\{(\w+)\}/g, (whole, key: string) => String(details[key] ?? whole));

/** An error from the table: what happened (`message`), what to do (`fix`), and the code that names it. */
export class AssayError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly status: number;
  readonly fix: string;
  readonly details: Readonly<Record<string, string | number>>;
  /** Milliseconds after which a `retry` makes sense. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    details: Record<string, string | number>,
    options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    const row: Entry = ERRORS[code];
    super(fill(row.message, details), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AssayError';
    this.code = code;
    this.kind = row.kind;
    this.status = row.status;
    this.fix = fill(row.fix, details);
    this.details = details;
    this.retryAfterMs = options.retryAfterMs ?? (row.kind === 'retry' ? 1000 : undefined);
  }
}

/**
 * Makes the error of a code, its message filled from `details` (checked against the template's placeholders).
 *
 * @example throw fail('PORT_IN_USE', { host: '127.0.0.1', port: 7878 });
 */
export function fail<C extends ErrorCode>(
  code: C,
  details: Details<C>,
  options?: { cause?: unknown; retryAfterMs?: number },
): AssayError {
  return new AssayError(code, details, options);
}

/** The text of anything thrown. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Any thrown value as an error of the table; aborts become CANCELLED, the unknown INTERNAL with its cause kept. */
export function toAssayError(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  if (error instanceof Error && error.name === 'AbortError') return fail('CANCELLED', {}, { cause: error });
  return fail('INTERNAL', { reason: reasonOf(error) }, { cause: error });
}
