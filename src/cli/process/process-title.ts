/** What a list of processes shows of this one. Every user of the machine can read the arguments of every process. */

const SECRET = /^--[\w-]*(tokens?|headers?|secrets?|passwords?)(?!-file)\b/;

/** Whether a command line holds a secret. */
const holdsSecret = (argv: readonly string[]): boolean => argv.some((arg) => SECRET.test(arg));

/** Writes over the arguments when one of them is a secret. */
export function hideSecrets(argv: readonly string[]): void {
  // On Windows the title is that of the window, and arguments are private.
  if (process.platform !== 'win32' && holdsSecret(argv)) process.title = `assay ${argv[2] ?? ''}`;
}
