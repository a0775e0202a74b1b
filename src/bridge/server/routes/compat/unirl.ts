/** `POST /score` as UniRL's remote reward backend calls it. A reward is a profile, or a scorer by its id. */
import { hash } from 'node:crypto';
import { fail } from '../../../../errors/error.ts';
import type { Profile } from '../../../../types/profile.ts';
import type { ScoreItem } from '../../../../types/request.ts';
import type { RewardItem, RewardResult } from '../../../../types/reward.ts';
import type { ServerContext } from '../../context.ts';
import { readValue } from '../../http/value.ts';
import { rewardJob } from '../../scoring.ts';
import { parse, tooManyItems } from '../../wire/parse.ts';
import { answer, content, named } from '../docs.ts';
import { itemsOf } from '../job.ts';
import { JOB_ERRORS } from '../job-docs.ts';
import { meanOf } from '../rewards.ts';
import type { Exchange, Route, Work } from '../route.ts';
import { type UniBody, type UniRequest, uniBody } from './messages.ts';

/** What may be required. */
export const rewardNames = ({ service }: Pick<ServerContext, 'service'>): string[] => [
  ...new Set([...Object.keys(service.profiles()), ...service.scorers().map(({ id }) => id)]),
];

const profileOf = (name: string, { service }: ServerContext): string | Profile =>
  Object.hasOwn(service.profiles(), name) || !service.scorers().some(({ id }) => id === name)
    ? name
    : meanOf([name]);

async function readScore(exchange: Exchange): Promise<UniBody> {
  const body: UniBody = parse(uniBody, await readValue(exchange));
  const { maxItems } = exchange.context.config.limits;
  if (body.requests.length > maxItems) throw tooManyItems(body.requests.length, maxItems);
  return body;
}

/** The last turn is the one that is judged. */
function itemOf(request: UniRequest, index: number, context: ServerContext): ScoreItem {
  const { text, image_b64: image } = request.history.at(-1)!;
  const id = (request.request_id || String(index)).slice(0, 256);
  const group = request.group_id || undefined;
  const [item] = itemsOf(
    { items: [{ id, group, prompt: text === '' ? null : text, image: image ?? '' }], promptFromFile: false },
    context,
  );
  if (image != null) return item!;
  const reason = `requests[${index}].history: no image_b64 in its last turn; videos, paths and device handles are not read`;
  return { ...item!, fetch: () => Promise.reject(fail('BAD_REQUEST', { reason })) };
}

/** Of the same requests, sent again. */
function keyOf(requests: UniRequest[], name: string): string | undefined {
  const keys = requests.map(({ idempotency_key: key }) => key);
  return keys.every(Boolean) ? hash('sha256', JSON.stringify([name, keys])) : undefined;
}

interface Scored {
  name: string;
  rewards: RewardResult;
  /** By index of the request. */
  items: Map<number, RewardItem>;
}

async function scoreBy(name: string, requests: UniRequest[], work: Work): Promise<Scored> {
  const { context } = work;
  const wanted = requests.flatMap((request, i) => (request.required_rewards.includes(name) ? [i] : []));
  const rewards = await rewardJob(work, {
    items: wanted.map((i) => itemOf(requests[i]!, i, context)),
    profile: profileOf(name, context),
    key: keyOf(
      wanted.map((i) => requests[i]!),
      name,
    ),
  });
  return { name, rewards, items: new Map(wanted.map((at, i) => [at, rewards.results[i]!])) };
}

/** Both maps of one request: a reward that stands for a missing one is in either. */
function entryOf(index: number, scored: Scored[]) {
  const found = scored.flatMap(({ name, items }) => {
    const item = items.get(index);
    return item ? [{ name, item }] : [];
  });
  const given = found.filter(({ item }) => item.reward !== null);
  const missing = found.filter(({ item }) => item.missing);
  return {
    results: Object.fromEntries(given.map(({ name, item }) => [name, { reward: item.reward }])),
    errors: Object.fromEntries(
      missing.map(({ name, item }) => [name, `${item.missing!.applied}: ${item.missing!.reason}`]),
    ),
  };
}

/** Who asked, as it was told; the version where a single scorer made the only reward. */
function identityOf(request: UniRequest, scored: Scored[]) {
  const { request_id, sample_id, group_id, source_rank, policy_version, idempotency_key } = request;
  const [only, ...others] = scored
    .filter(({ name }) => request.required_rewards.includes(name))
    .flatMap(({ rewards }) => rewards.scorers);
  const scorer_version = only && others.length === 0 ? `${only.id}@${only.version}` : null;
  const echo = {
    request_id,
    sample_id,
    group_id,
    source_rank,
    policy_version,
    scorer_version,
    idempotency_key,
  };
  return Object.fromEntries(Object.entries(echo).map(([key, value]) => [key, value ?? null]));
}

async function scoreAll(work: Work, { requests }: UniBody): Promise<object> {
  const names = [...new Set(requests.flatMap(({ required_rewards }) => required_rewards))];
  const scored = await Promise.all(names.map((name) => scoreBy(name, requests, work)));
  const entries = requests.map((_, i) => entryOf(i, scored));
  return {
    results: entries.map(({ results }) => results),
    errors: entries.map(({ errors }) => errors),
    identities: requests.map((request) => identityOf(request, scored)),
    protocol_version: '1',
  };
}

export const uniScore: Route<UniBody> = {
  method: 'post',
  path: '/score',
  read: readScore,
  handler: async (work, body) => ({ body: await scoreAll(work, body) }),
  docs: {
    summary: 'Rewards by name of a profile or scorer, as UniRL asks for them',
    body: content(named('UniRequest', uniBody)),
    answers: { 200: answer('By request and name of the reward', { type: 'object' }) },
    errors: ['UNKNOWN_PROFILE', ...JOB_ERRORS],
  },
};

export const uniRewards: Route = {
  method: 'get',
  path: '/rewards',
  handler: ({ context }) => ({ body: { rewards: rewardNames(context) } }),
  docs: {
    summary: 'Names of rewards, as UniRL asks for them',
    answers: { 200: answer('Names', { type: 'object' }) },
  },
};
