/** The language model that proposes, by the config and the flags. */
import { accessTo } from '../../bridge/providers/access.ts';
import { createChat } from '../../bridge/providers/chat.ts';
import { rewriter } from '../../bridge/providers/rewriter.ts';
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

/** @returns no proposer where none is named. @throws USAGE, TOKEN_UNREADABLE */
export function proposerOf({ endpoint }: Config): { proposer: Proposer | null; notes: string[] } {
  const { url, model, apiKey, apiKeyFile, timeoutMs, maxTokens } = endpoint;
  if (url === undefined && model === undefined) return { proposer: null, notes: [] };
  if (url === undefined) throw usage(`the model ${model} needs an address: --endpoint URL, or endpoint.url`);
  if (model === undefined) throw usage(`${url} needs the name of a model: --model NAME, or endpoint.model`);
  const { key, notes } = accessTo({ url, apiKey, apiKeyFile }, 'endpoint');
  return { proposer: rewriter(createChat({ url, model, apiKey: key, timeoutMs, maxTokens })), notes };
}
