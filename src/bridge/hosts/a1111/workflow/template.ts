/** A request as a template: its fields are its inputs, by their own names. */
import { fail } from '../../../../errors/error.ts';
import { nearest } from '../../../../errors/nearest.ts';
import type { InputValue, Template, WorkflowInput } from '../../../../host.ts';
import { fewOf } from '../../../../lib/words.ts';
import { type Body, type Route, readRequest } from './request.ts';

/** What a host takes for a field that the request does not name, where every fork takes the same. */
const DEFAULTS: Readonly<Record<string, InputValue>> = {
  prompt: '',
  negative_prompt: '',
  seed: -1,
  subseed: -1,
  subseed_strength: 0,
  cfg_scale: 7,
  width: 512,
  height: 512,
  batch_size: 1,
  n_iter: 1,
};

/** Fields that hold pictures as text. */
const PICTURES = new Set(['mask']);

const isLiteral = (value: unknown): value is InputValue =>
  ['string', 'number', 'boolean', 'bigint'].includes(typeof value);

/** Where a name leads: fields with a dot are of one object in another, `override_settings.sd_model_checkpoint`. */
function valueAt(body: Body, path: readonly string[]): unknown {
  let value: unknown = body;
  for (const part of path)
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string, unknown>)[part]
        : undefined;
  return value;
}

/** A copy with that value in it. */
function withValue(body: Body, [first, ...rest]: readonly string[], value: InputValue): Body {
  if (rest.length === 0) return { ...body, [first!]: value };
  const inner = body[first!];
  if (Array.isArray(inner)) {
    const copy = Object.assign([], inner, withValue(inner as unknown as Body, rest, value));
    return { ...body, [first!]: copy };
  }
  return { ...body, [first!]: withValue(inner as Body, rest, value) };
}

/**
 * Reads a request file.
 *
 * @param file what errors call it
 * @throws REQUEST_INVALID
 */
export function readTemplate(text: string, file: string): Template {
  const { route, body } = readRequest(text, file);
  const described = (name: string): WorkflowInput => {
    const value = valueAt(body, name.split('.'));
    return { name, node: route, value: isLiteral(value) ? value : DEFAULTS[name]! };
  };
  const has = (name: string): boolean =>
    isLiteral(valueAt(body, name.split('.'))) || Object.hasOwn(DEFAULTS, name);
  const isSet = (name: string): boolean => Number(valueAt(body, [name]) ?? 0) > 0;
  const texts = Object.keys(body).filter((name) => typeof body[name] === 'string' && !PICTURES.has(name));

  return {
    // Of a batch each image has a seed of its own; with a strength it is the variation seed that makes them differ.
    seeds: ['seed', ...(isSet('subseed_strength') ? ['subseed'] : [])].map(described),
    steps: ['steps', 'hr_second_pass_steps'].filter(isSet).map(described),
    texts: [...new Set(['prompt', ...texts])].map(described),
    prompt: described('prompt'),
    input(name) {
      if (has(name)) return described(name);
      throw unknown(route, body, file, name);
    },
    with(values) {
      let made = body;
      for (const [name, value] of Object.entries(values)) {
        if (!has(name)) throw unknown(route, body, file, name);
        made = withValue(made, name.split('.'), value);
      }
      return { route, ...made };
    },
  };
}

function unknown(route: Route, body: Body, file: string, name: string) {
  const fields = [
    ...new Set([...Object.keys(body).filter((key) => isLiteral(body[key])), ...Object.keys(DEFAULTS)]),
  ];
  const near = nearest(name, fields);
  const hint = near ? ` (did you mean ${near}?)` : '';
  return fail('INPUT_UNKNOWN', {
    source: file,
    name,
    hint,
    known: `its ${route} request has ${fewOf(fields, 12)}`,
  });
}
