/** What `assay doctor` says of any model elsewhere: where images go, and whether it is there. */
import { isHere } from '../../bridge/providers/access.ts';
import { toAssayError } from '../../errors/error.ts';
import type { Provider } from '../../types/provider.ts';
import type { Finding } from './surroundings.ts';

const ANSWER_MS = 5000;

/**
 * Where the images go is said whether or not anybody answers.
 *
 * @param setting where it stands in the config
 */
export function whereabouts(
  name: string,
  setting: string,
  { url, model }: { url: string; model?: string | undefined },
): Finding {
  const { host } = new URL(url);
  const what = `${name}: ${model ?? 'the model'} at ${host}`;
  if (isHere(url)) return { level: 'ok', what: `${what}, on this machine` };
  return {
    level: 'note',
    what: `${what}: images and prompts that it judges leave this machine`,
    fix: `Take ${setting} out of the config if they must not.`,
  };
}

/** What is said when a model is not among those that an endpoint has; undefined where it is, or nothing is told. */
export async function lackOf(
  endpoint: Pick<Provider, 'url' | 'models'>,
  model: string,
): Promise<{ what: string; has: string } | undefined> {
  const models = await endpoint.models(AbortSignal.timeout(ANSWER_MS));
  if (!models || models.some((name) => name === model || name === `${model}:latest`)) return undefined;
  const has = `It has ${models.slice(0, 8).join(', ') || 'none'}`;
  return { what: `${endpoint.url} has no model ${model}`, has };
}

export function asFinding(name: string, thrown: unknown): Finding {
  const { message, fix } = toAssayError(thrown);
  return { level: 'problem', what: `${name}: ${message}`, fix };
}
