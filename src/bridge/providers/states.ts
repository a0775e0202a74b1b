/**
 * Hidden states of a language model elsewhere: of the reference server in `training/`, or of vLLM's pooling endpoint.
 * No other address is ever called.
 */
import { z } from 'zod';
import { AssayError, fail, reasonOf } from '../../errors/error.ts';
import { counted } from '../../lib/words.ts';
import type { Check, States, StatesProvider, StatesQuestion } from '../../types/provider.ts';
import { Endpoint, type OptionalField } from './endpoint.ts';
import { messagesOf } from './messages.ts';
import { type FloatArray, readNpy } from './npy.ts';
import { Remembered } from './remembered.ts';
import { BUSY_TRIES } from './vision.ts';
import { createWire, type Service, type Wire } from './wire.ts';

/** Who gives states, and in which words. */
export type StatesKind = 'states' | 'vllm';

export interface StatesSettings {
  kind: StatesKind;
  url: string;
  /** Name of the model there; absent: the one that it has. */
  model?: string | undefined;
  apiKey?: string | undefined;
  /** Longest time for one answer. */
  timeoutMs: number;
  /** Most questions at once. */
  concurrency: number;
  /** Room for what is remembered; 0: nothing is. */
  cacheBytes: number;
  /** First pause before a question is sent again. */
  retryMs?: number;
}

/** States as they came, with what is told of them. */
type Told = Pick<States, 'data' | 'rows' | 'width' | 'positions'>;

/** What differs between those who give states. */
interface Dialect<F extends string> {
  service: Service;
  optional: readonly OptionalField<F>[];
  /** @throws as `states` */
  ask(
    wire: Wire,
    question: StatesQuestion,
    model: string | undefined,
    lacks: (field: F) => boolean,
    signal: AbortSignal,
  ): Promise<Told>;
}

/** 8,192 positions of 8,192 numbers. */
const MOST_BYTES = 256 * 2 ** 20;

const server: Dialect<never> = {
  service: { path: 'states', what: 'a server of hidden states', maxBytes: MOST_BYTES },
  optional: [],
  async ask(wire, question, model, _, signal) {
    const { pool, maxPositions } = question;
    const body = {
      model,
      messages: messagesOf(question),
      pool,
      max_positions: maxPositions,
      dtype: 'float32',
    };
    const { bytes, headers } = await wire.postForBytes(body, signal);
    const { dims, data } = readArray(wire, bytes);
    const [width, rows = 1] = dims.toReversed();
    if (width === undefined || dims.length !== (pool === 'mean' ? 1 : 2))
      throw unfit(wire.url, `an array of ${counted(dims.length, 'dimension')} for pool ${pool}`);
    const told = headers.get('x-assay-positions');
    return { data, rows, width, positions: told === null ? undefined : Number(told) };
  },
};

const poolingSchema = z.object({
  data: z.array(z.object({ data: z.union([z.string(), z.array(z.array(z.number()))]) })).length(1),
  usage: z.object({ prompt_tokens: z.int().min(1).nullish() }).nullish(),
});

/** Asked for the states of all tokens; their mean is made here, since how it pools is settled when it is started. */
const vllm: Dialect<'task'> = {
  service: { path: '../pooling', what: 'the pooling endpoint of vLLM', maxBytes: MOST_BYTES },
  optional: [{ field: 'task', says: /\btask\b/i }],
  async ask(wire, question, model, lacks, signal) {
    const body = {
      ...{ model, messages: messagesOf(question), add_generation_prompt: false },
      ...(!lacks('task') && { task: 'token_embed' }),
      ...{ encoding_format: 'base64', embed_dtype: 'float32', endianness: 'little', use_activation: false },
    };
    const {
      data: [row],
      usage,
    } = await wire.post(body, poolingSchema, signal);
    return told32(row!.data, usage?.prompt_tokens ?? undefined, wire.url);
  },
};

const DIALECTS = { states: server, vllm } satisfies Record<StatesKind, unknown>;

class StatesOf implements StatesProvider {
  readonly url: string;
  readonly model: string;
  readonly #settings: StatesSettings;
  readonly #dialect: Dialect<string>;
  readonly #wire: Wire;
  readonly #endpoint: Endpoint<string>;
  readonly #known: Remembered<States>;

  constructor(settings: StatesSettings) {
    this.#settings = settings;
    this.#dialect = DIALECTS[settings.kind] as Dialect<string>;
    this.#wire = createWire(settings, this.#dialect.service);
    this.url = this.#wire.url;
    this.model = settings.model ?? 'the language model';
    const { concurrency, retryMs, cacheBytes } = settings;
    const { optional } = this.#dialect;
    this.#endpoint = new Endpoint({ optional, concurrency, retryMs, busyTries: BUSY_TRIES });
    this.#known = new Remembered({ bytes: cacheBytes, of: ({ data }) => data.byteLength });
  }

  models = (signal: AbortSignal) => this.#wire.models(signal);

  states(question: StatesQuestion, signal: AbortSignal, check?: Check<States>): Promise<States> {
    const { image, turns, pool, maxPositions = null } = question;
    const asked = [this.url, this.#settings.model ?? '', image.key, turns, pool, maxPositions];
    return this.#known.get(asked, (until) => this.#ask(question, until), signal, check);
  }

  async #ask(question: StatesQuestion, signal: AbortSignal): Promise<States> {
    const lacks = (field: string) => this.#endpoint.lacks(field);
    const send = () => this.#dialect.ask(this.#wire, question, this.#settings.model, lacks, signal);
    try {
      const { reply, ...times } = await this.#endpoint.exchange(send, signal);
      checkRows(reply, question, this.url);
      checkNumbers(reply, this.url);
      const told = question.pool === 'mean' ? mean(reply) : firstOf(reply, question.maxPositions);
      return { ...told, ...times, cost: told.positions };
    } catch (error) {
      throw isTooLong(error) ? fail('LANGUAGE_TOO_LONG', { model: this.model, found: error.message }) : error;
    }
  }
}

/** Context lengths, in the words of vLLM and of the reference server. */
const TOO_LONG = /context length|maximum model length|max_model_len|positions, more than/i;

const isTooLong = (error: unknown): error is AssayError =>
  error instanceof AssayError && error.code === 'ENDPOINT_UNFIT' && TOO_LONG.test(error.message);

const unfit = (url: string, found: string): AssayError =>
  fail('LANGUAGE_STATES', { url, found, expected: 'hidden states of the last layer' });

/** @throws LANGUAGE_STATES */
function readArray({ url, gist }: Wire, bytes: Uint8Array): FloatArray {
  try {
    return readNpy(bytes);
  } catch (error) {
    throw unfit(url, `an answer that cannot be read: ${gist(reasonOf(error))}`);
  }
}

/** @param positions as the usage tells them: base64 has no shape. @throws LANGUAGE_STATES */
function told32(given: string | number[][], positions: number | undefined, url: string): Told {
  if (typeof given !== 'string') {
    const width = given[0]?.length ?? 0;
    if (given.some((row) => row.length !== width)) throw unfit(url, 'rows of different lengths');
    if (positions !== undefined && positions !== given.length)
      throw unfit(url, `${counted(given.length, 'row')} for ${counted(positions, 'position')}`);
    return { data: Float32Array.from(given.flat()), rows: given.length, width, positions };
  }
  const bytes = Uint8Array.from(Buffer.from(given, 'base64'));
  const count = bytes.length / 4;
  if (positions === undefined)
    throw unfit(url, 'numbers without prompt_tokens, which say how many rows they are');
  if (!Number.isInteger(count / positions)) throw unfit(url, `${count} numbers for ${positions} positions`);
  return { data: new Float32Array(bytes.buffer), rows: positions, width: count / positions, positions };
}

/** A norm leaves rows of many lengths; only who normalises makes all of them 1. */
function isNormalised({ data, rows, width }: Told): boolean {
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += data[i]! ** 2;
    if (Math.abs(sum - 1) > 0.01) return false;
  }
  return true;
}

function mean({ data, rows, width, positions }: Told): Told {
  if (rows <= 1) return { data, rows, width, positions };
  const sums = new Float64Array(width);
  for (let i = 0; i < data.length; i++) sums[i % width]! += data[i]!;
  return { data: Float32Array.from(sums, (sum) => sum / rows), rows: 1, width, positions: positions ?? rows };
}

/** What the first positions hold is the same without those behind them: such models look back alone. */
function firstOf(told: Told, most = Number.POSITIVE_INFINITY): Told {
  const { data, rows, width, positions = rows } = told;
  if (rows <= most) return { ...told, positions };
  return { data: data.slice(0, most * width), rows: most, width, positions };
}

/** Each position that is wanted has its row, where it is told how many there are. @throws LANGUAGE_STATES */
function checkRows({ rows, positions }: Told, { pool, maxPositions }: StatesQuestion, url: string): void {
  if (positions === undefined) return;
  const least = pool === 'mean' ? 1 : Math.min(positions, maxPositions ?? positions);
  if (!Number.isSafeInteger(positions) || positions < rows || rows < least)
    throw unfit(url, `${counted(rows, 'row')} of ${counted(positions, 'position')}`);
}

/** @throws LANGUAGE_STATES */
function checkNumbers(told: Told, url: string): void {
  const { data, rows } = told;
  if (rows === 0 || data.length === 0) throw unfit(url, 'no numbers');
  if (!data.every(Number.isFinite)) throw unfit(url, 'numbers that are not finite');
  if (rows > 1 && isNormalised(told)) throw unfit(url, 'vectors of length 1, which were normalised');
}

export const createStates = (settings: StatesSettings): StatesProvider => new StatesOf(settings);
