/** What is never repeated in a message or a log. */

/** Names whose values are secrets, also where they are misspelt. What is given for a file may be the secret itself. */
const SECRET = /tok[a-z]{0,2}n|secret|passw|credential|authorization|cookie|header|api_?key/i;
const isSecret = (name: string): boolean => SECRET.test(name);

const HIDDEN = '(not shown)';
/** Longest value that is repeated, in characters. */
const LONGEST = 200;

/** Takes credentials out of addresses: `http://me:word@host/?token=word`. */
const withoutCredentials = (text: string): string =>
  text
    .replace(/(\w+:\/\/)[^/@\s"]*@/g, '$1***@')
    .replace(/([?&][\w-]*(?:token|key|secret|auth|pass|sig)[\w-]*=)[^&\s"]+/gi, '$1***');

/**
 * A value as a message may show it.
 *
 * @param path keys that lead to it
 */
export function shown(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return 'missing';
  if (path.some((key) => isSecret(String(key)))) return HIDDEN;
  const json = JSON.stringify(value, (key, inner) => (isSecret(key) ? HIDDEN : inner)) ?? typeof value;
  const safe = withoutCredentials(json);
  return safe.length > LONGEST ? `${safe.slice(0, LONGEST)}…` : safe;
}
