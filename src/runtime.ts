/**
 * Where the parts of Assay are put together: scorers, pipeline, history, and whoever wants to hear of results. The
 * daemon, watches, commands and benches stand on it.
 */
import { hash } from 'node:crypto';
import type { Config } from './config.ts';
import { textsOf } from './files/metadata/texts.ts';
import type { Ledger } from './host.ts';
import { rosterOf } from './judges.ts';
import { Monitor } from './loops/monitor/monitor.ts';
import { ClientStudies } from './loops/study/studies.ts';
import { Pipeline } from './pipeline.ts';
import { findPrompt } from './prompt/find.ts';
import { ranked, sealed } from './results.ts';
import { sha256Of } from './reward/image/slices.ts';
import { Manners, type Neighbour } from './reward/manners.ts';
import type { Roster } from './reward/model/catalog.ts';
import { heldOutProfile, profilesOf, scorerIn } from './reward/profile/profiles.ts';
import { type RewardParts, rewardsOf } from './reward/profile/rewards.ts';
import { Answered } from './store/answered.ts';
import { disabledStore } from './store/disabled.ts';
import type { StoreLog } from './store/file/health.ts';
import { takeHold } from './store/file/hold.ts';
import { openStore, retentionOf, type Store } from './store/store.ts';
import type { PanelRequest, ScoreRequest } from './types/request.ts';
import type { ScoreResult } from './types/result.ts';
import type { RewardRequest, RewardResult } from './types/reward.ts';
import type { ResultListener, Service } from './types/service.ts';

export interface Runtime extends Service {
  readonly config: Config;
  readonly catalog: Roster;
  /** Scores by several scorers at once: of each item one result a scorer. Throws as `score` does. */
  panel(request: PanelRequest): Promise<ScoreResult[][]>;
  /** What is known of the files of one host. */
  ledger(host: string): Ledger;
  /** Tells of a program that may use the same GPU. @returns what ends it */
  beside(neighbour: Neighbour): () => void;
  /** Ends the workers, writes what waits to be recorded, closes the history. */
  close(): Promise<void>;
}

export interface RuntimeOptions {
  config: Config;
  /** The scorers, where they are open already; closed with the runtime. */
  catalog?: Roster | undefined;
  /** Told of faults that are ours, and of a history that fails. */
  log?: StoreLog;
  /** Why nothing is recorded, for people; absent: it is, as the config says. */
  unrecorded?: string | undefined;
}

const NO_LOG: StoreLog = { info() {}, warn() {}, error() {} };

/** Opens everything; loads no scorer before the first image. */
export function openRuntime({ config, log = NO_LOG, unrecorded, ...given }: RuntimeOptions): Runtime {
  const catalog = given.catalog ?? rosterOf(config);
  const manners = new Manners(config.gpu.whileSampling);
  const pipeline = new Pipeline(catalog, config, log, manners);
  const store = storeFor(config, log, unrecorded);
  const answered = new Answered(sha256Of);
  const listeners = new Set<ResultListener>();

  /** 10 reply, record: neither the history nor a listener can fail the reply. */
  function finish(results: ScoreResult[][], request: PanelRequest): ScoreResult[][] {
    const replies = results.map((all) => all.map(sealed));
    const finished = replies.flat().filter((result) => isFinished(result, request));
    if (request.records !== 'itself' && finished.length > 0)
      store.record(finished, request.client, marksOf(replies, request));
    for (const listener of listeners) for (const result of finished) listener(result, request.client);
    return replies;
  }

  const askAll = async (request: PanelRequest) => finish(await pipeline.panel(request), request);
  const panel = (request: PanelRequest) => answered.score(request, askAll);
  const score = async ({ scorer, ...request }: ScoreRequest) =>
    (await panel({ ...request, scorers: [scorer] })).map(([result]) => result!);
  const scorerOf = scorerIn(catalog);
  const studies = new ClientStudies({
    ...{ config, panel, hold: takeHold, digest: sha256Of },
    stampOf: (name) => catalog.find(name).manifest,
  });
  const monitor = monitorOf(config, pipeline, scorerOf, log);

  async function reward({
    profile = config.rewards.profile,
    ...asked
  }: RewardRequest): Promise<RewardResult> {
    const { request, see } = monitor.watch({ ...asked, profile });
    const rewards = await rewardsOf(request, { config, scorerOf, panel });
    see(rewards);
    return rewards;
  }

  return {
    config,
    catalog,
    panel,
    score,
    rank: async (request) => ranked(await score(request)),
    reward,
    studies,
    profiles: () => profilesOf(config),
    scorers: () => catalog.list(),
    release: (scorer) => catalog.release(scorer),
    refusedScorers: () => catalog.refused(),
    findPrompt: (place) => findPrompt(place, textsOf),
    history: (query, signal) => store.history(query, signal),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    monitor: () => monitor.report,
    onWarning: (listener) => monitor.listen(listener),
    notReady: () => notReady(catalog),
    load: () => pipeline.load(),
    pressure: () => pipeline.pressure(),
    recording: () => store.status(),
    beside: (neighbour) => manners.beside(neighbour),
    ledger: (host) => store.ledger(host),
    async close() {
      studies.close();
      await monitor.close();
      await catalog.close();
      await store.close();
    },
  };
}

function storeFor(config: Config, log: StoreLog, unrecorded: string | undefined): Store {
  const off = unrecorded ?? (config.history ? undefined : 'it is switched off in the config');
  if (off !== undefined) return disabledStore(off);
  return openStore({ dataDir: config.dataDir, log, retention: retentionOf(config) });
}

/** What a held-out scorer says is nobody's result: it is neither recorded nor told to those who listen for results. */
function monitorOf(
  config: Config,
  pipeline: Pipeline,
  scorerOf: RewardParts['scorerOf'],
  log: StoreLog,
): Monitor {
  const { heldOut: scorer, aspect, share } = config.monitor;
  const profile = heldOutProfile(scorer, aspect);
  return new Monitor({
    heldOut: scorer === undefined ? null : { scorer, aspect: aspect ?? null, share },
    async judge(items, signal) {
      const request = { items, profile, client: 'monitor', signal };
      const panel = (asked: PanelRequest) => pipeline.panel(asked);
      const { results } = await rewardsOf(request, { config, scorerOf, panel });
      return results.map(({ reward }) => reward);
    },
    log,
  });
}

/**
 * Whether there is a result to be recorded. What was given up before it had one is asked for again, and recorded then;
 * what was cancelled is nobody's.
 */
function isFinished({ error }: ScoreResult, { signal }: PanelRequest): boolean {
  if (!signal.aborted) return true;
  return signal.reason.code !== 'CANCELLED' && error?.code !== signal.reason.code;
}

/** What the history knows each result by: the same image at the same place of the same request, whenever it comes. */
function marksOf(replies: ScoreResult[][], { once }: PanelRequest) {
  const marks = new Map(
    replies.flatMap((results, i) => results.map((result) => [result, once?.[i]] as const)),
  );
  return (result: ScoreResult): string | undefined => {
    const mark = marks.get(result);
    if (mark === undefined || result.error !== null) return undefined;
    const { scorer, sha256, prompt } = result;
    return hash('sha256', JSON.stringify([mark, scorer?.id, scorer?.version, sha256, prompt]));
  };
}

function notReady(catalog: Roster): string | null {
  const why = catalog.unready();
  return why && `the default scorer cannot score yet: ${why}`;
}
