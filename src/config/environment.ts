/** Settings from environment variables. What is set there is meant, or refused, or told to be ignored. */
import { fail, reasonOf } from '../errors/error.ts';
import { nearest } from '../errors/nearest.ts';
import { parseJson } from './json.ts';
import type { Kind, Leaf } from './leaves.ts';
import { shown } from './secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface FromEnvironment {
  /** As a config file would hold them. */
  values: Record<string, unknown>;
  /** For people: what was ignored, and why. */
  notes: string[];
  /** Names that an orchestrator sets for services, which are nothing to us. */
  injected: string[];
}

/** Variables that are no settings of the daemon. */
const OTHERS = ['ASSAY_CONFIG', 'ASSAY_URL', 'ASSAY_PYTHON', 'ASSAY_SCREENSHOTS'];

/** Kubernetes and Docker tell each container where the services are: for one called `assay`, in names like ours. */
const SERVICE_VALUE = /^(tcp|udp|sctp):\/\//;
const SERVICE_NAME = /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

const ON = /^(true|yes|on|1)$/i;
const OFF = /^(false|no|off|0)$/i;

/** How the text of a variable becomes a value; undefined when it cannot. */
const READ: Record<Kind, (text: string) => unknown> = {
  text: (text) => (/^(["']).*\1$/s.test(text) ? undefined : text),
  number: (text) => (/^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined),
  flag: (text) => (ON.test(text) ? true : OFF.test(text) ? false : undefined),
  list: (text) =>
    text.startsWith('[')
      ? parseJson(text)
      : text
          .split(',')
          .map((part) => part.trim())
          .filter((part) => part !== ''),
  json: parseJson,
};

const EXPECTED: Record<Kind, string> = {
  text: 'a value without quotes around it',
  number: 'a number in plain digits, e.g. 8080',
  flag: 'true, yes, on or 1; or false, no, off or 0',
  list: 'values with commas between, or a JSON list',
  json: 'JSON',
};

function read({ path, kind, variable }: Leaf, text: string): unknown {
  const refusal = (expected: string, cause?: unknown) =>
    fail(
      'CONFIG_INVALID',
      { source: variable, key: path.join('.'), found: shown(text, path), expected },
      { cause },
    );
  let value: unknown;
  try {
    value = READ[kind](text);
  } catch (cause) {
    throw refusal(`${EXPECTED[kind]} (${reasonOf(cause)})`, cause);
  }
  if (value === undefined) throw refusal(EXPECTED[kind]);
  return value;
}

function place(values: Record<string, unknown>, [first, ...rest]: string[], value: unknown): void {
  if (rest.length === 0) values[first!] = value;
  else {
    values[first!] ??= {};
    place(values[first!] as Record<string, unknown>, rest, value);
  }
}

function unknownNote(name: string, leaves: readonly Leaf[]): string {
  const near = nearest(name, [...leaves.map((leaf) => leaf.variable), ...OTHERS]);
  return `${name} is no setting and was ignored${near ? ` (did you mean ${near}?)` : ''}`;
}

const isInjected = (name: string, text: string, leaf: Leaf | undefined): boolean =>
  SERVICE_VALUE.test(text) || (leaf === undefined && SERVICE_NAME.test(name));

/** Takes one variable in: as a value, or with a note that says why not. */
function take(found: FromEnvironment, name: string, text: string, leaves: readonly Leaf[]): void {
  const leaf = leaves.find(({ variable }) => variable === name);
  if (isInjected(name, text, leaf)) {
    found.injected.push(name);
    if (leaf) found.notes.push(`${name}=${text} is what an orchestrator sets for a service, and was ignored`);
    return;
  }
  if (!leaf) found.notes.push(unknownNote(name, leaves));
  else if (text !== '') place(found.values, leaf.path, read(leaf, text));
  else if (name.endsWith('_TOKEN')) found.notes.push(`${name} is blank and counts as not set`);
}

/**
 * Reads the variables of the settings. Blank ones count as not set.
 *
 * @throws CONFIG_INVALID naming the variable and what it may be
 */
export function fromEnvironment(leaves: readonly Leaf[], env: Environment): FromEnvironment {
  const found: FromEnvironment = { values: {}, notes: [], injected: [] };
  for (const [name, text = ''] of Object.entries(env))
    if (name.startsWith('ASSAY_') && !OTHERS.includes(name)) take(found, name, text.trim(), leaves);
  return found;
}
