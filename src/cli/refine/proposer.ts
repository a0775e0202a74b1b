/** The language model that proposes, by the config and the flags. */
import { createChat } from '../../bridge/providers/chat.ts';
import { rewriter } from '../../bridge/providers/rewriter.ts';
import { readToken } from '../../config/token.ts';
import type { Config } from '../../config.ts';
import type { Proposer } from '../../types/proposer.ts';
import { usage } from '../input/flags.ts';

export interface EndpointFlags {
  endpoint?: string;
  model?: string;
  apiKeyFile?: string;
  maxTokens?: number;
}

/** What the flags say of `endpoint` in the config. */
export function endpointOf({ endpoint, model, apiKeyFile, maxTokens }: EndpointFlags): object {
  const given = Object.entries({ url: endpoint, model, apiKeyFile, maxTokens }).filter(
    ([, value]) => value !== undefined,
  );
  return given.length > 0 ? { endpoint: Object.fromEntries(given) } : {};
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** @returns no proposer where none is named. @throws USAGE, TOKEN_UNREADABLE */
export function proposerOf({ endpoint }: Config): { proposer: Proposer | null; notes: string[] } {
  const { url, model, apiKey, apiKeyFile, timeoutMs, maxTokens } = endpoint;
  if (url === undefined && model === undefined) return { proposer: null, notes: [] };
  if (url === undefined) throw usage(`the model ${model} needs an address: --endpoint URL, or endpoint.url`);
  if (model === undefined) throw usage(`${url} needs the name of a model: --model NAME, or endpoint.model`);
  if (apiKey !== undefined && apiKeyFile !== undefined)
    throw usage('give either endpoint.apiKey or endpoint.apiKeyFile, not both');
  if (new URL(url).username !== '')
    throw usage(
      'endpoint.url holds a name or password; give the key in endpoint.apiKey or endpoint.apiKeyFile',
    );
  const file = apiKeyFile === undefined ? null : readToken(apiKeyFile, 'endpoint.apiKeyFile');
  const key = file?.token ?? apiKey;
  const { protocol, hostname } = new URL(url);
  const isOpen = key !== undefined && protocol === 'http:' && !LOOPBACK.test(hostname);
  const notes = [
    ...(file?.notes ?? []),
    ...(isOpen ? [`the key goes to ${hostname} over http, where all on the way can read it`] : []),
  ];
  return { proposer: rewriter(createChat({ url, model, apiKey: key, timeoutMs, maxTokens })), notes };
}
