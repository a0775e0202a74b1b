/** The nouns that every part of Assay shares. Plain data: no behaviour, no imports. */

/** One human judgement that a scorer predicts. */
export const ASPECTS = ['quality', 'alignment', 'authenticity'] as const;
export type Aspect = (typeof ASPECTS)[number];

export type GuardName = 'blank' | 'noise' | 'corrupt' | 'out-of-domain';

/** A check of the pixels, or by the scorer itself, that makes its score meaningless, with the figure that tripped it. */
export interface GuardFinding {
  guard: GuardName;
  message: string;
}

export type Decision = 'accept' | 'reject' | 'unsure';

/** Least demands on one aspect; an absent one is not made. */
export interface AspectThreshold {
  /** Least score, in the scorer's range. */
  minScore?: number | undefined;
  /** Least percentile, 0..1. */
  minPercentile?: number | undefined;
}

/** When to keep an image. With no thresholds, those of the scorer's manifest count; `minReward: 0` asks for nothing. */
export interface Policy {
  aspects: Partial<Record<Aspect, AspectThreshold>>;
  /** Least reward, 0..1. */
  minReward?: number | undefined;
  /** Answer `unsure` when a score misses or meets its `minScore` by less than its prediction interval. */
  unsureWithinInterval: boolean;
}

/** File name endings of the formats that are looked for, best first where a name fits several files. */
export const IMAGE_EXTENSIONS = [
  ...['.png', '.apng', '.jpg', '.jpeg', '.jpe', '.jfif', '.jif', '.mpo', '.webp', '.avif', '.avifs', '.gif'],
  ...['.tif', '.tiff', '.bmp', '.dib'],
  // decoded where the build of libvips can, else named
  ...['.heic', '.heif', '.jxl'],
];

/** An image as it arrived: encoded bytes of a file, or raw interleaved 8-bit pixels, row by row. */
export type ImageInput =
  | { kind: 'encoded'; bytes: Uint8Array }
  | { kind: 'raw'; format: 'rgb8' | 'rgba8'; width: number; height: number; bytes: Uint8Array };

/** Decoded pixels: interleaved RGB, 3 bytes a pixel, row by row, `width * height * 3` bytes. */
export interface Pixels {
  data: Uint8Array;
  width: number;
  height: number;
  /** What the pixels are known by: equal keys, equal pixels. When absent, they are hashed where one is needed. */
  key?: string;
}

/** How colourful an image is. */
export interface Colour {
  /** Mean of its pixels, 0..1. */
  saturation: number;
  /** 0 is grey, 60 and more is vivid. */
  colourfulness: number;
}

/** One image to score. `fetch` is called once, when its turn comes, so waiting items hold no bytes. */
export interface ScoreItem {
  /** The caller's name for the item, echoed in its result. */
  id: string;
  /** Where the image came from, for people; null when the caller did not say. */
  source: string | null;
  /** The text that the image was generated from, as given; null: it has none; absent: it is looked for. */
  prompt?: string | null | undefined;
  /** Images whose rewards are compared with each other share it. */
  group?: string | undefined;
  /** One that was found before: by a host, in its history. */
  found?: PromptFound | undefined;
  /** Where to look first when none is given. */
  workflow?: WorkflowRef | undefined;
  /** Whether to look into the file when none is given. */
  promptFromFile?: boolean | undefined;
  /** @param maxBytes of what has more, no more is taken into memory: it is refused anyway */
  fetch: (signal: AbortSignal, maxBytes?: number) => Promise<ImageInput> | ImageInput;
}

/** A place in a workflow: the images that arrive at an input of a node. */
export interface WorkflowRef {
  /** API format, as the host runs it; believed in nothing. */
  graph: unknown;
  /** Id of the node that shows, saves or scores the images. */
  node: string;
  /** Its input that the images come by; all of its links when absent. */
  input?: string | undefined;
}

/** Where a prompt came from, and what is to be thought of it. */
export interface PromptSource {
  /** `request`, or a place in words: `PNG chunk parameters`, `workflow node 6 (CLIPTextEncode)`; null when none was found. */
  from: string | null;
  /** The text as it stood there, when the words that were judged differ from it. */
  original: string | null;
  /** Whether the answer is sure: false for words that could be the wrong ones, and where there may be some after all. */
  certain: boolean;
  /** Why there is none, or why it is not certain. */
  reason: string | null;
}

/** A prompt that was looked for: its words, or why there are none. */
export interface PromptFound extends PromptSource {
  /** Cleaned of weights, tags and negative parts. */
  prompt: string | null;
  /** What the image was to keep away from; null when there is none, or none was looked for. */
  negative: string | null;
}

/** Where to look for a prompt: in a workflow, or in the bytes of an image file. */
export type PromptPlace = { workflow: WorkflowRef } | { image: Uint8Array };

export interface ScoreRequest {
  items: ScoreItem[];
  /** Scorer id, or `id@version`; the configured default when absent. */
  scorer?: string | undefined;
  /** Thresholds for the decisions; those of the config when absent. */
  policy?: Policy | undefined;
  /** Who asks: the queue is fair between clients. */
  client: string;
  /** How long it may wait for room in a full queue; not at all when absent. */
  patienceMs?: number | undefined;
  /** What it is known by when it is sent again: then only the rest of it is scored, and nothing recorded twice. */
  key?: string | undefined;
  /** The same of each item, for whoever records. */
  once?: readonly string[] | undefined;
  /** Whether results tell the colour of the images. */
  colour?: true | undefined;
  /** Who records the results: the history, unless the caller does so together with what it knows beside them. */
  records?: 'itself' | undefined;
  signal: AbortSignal;
}

/** The same asked of several scorers: what they have in common is done once an image. */
export interface PanelRequest extends Omit<ScoreRequest, 'scorer'> {
  /** As the scorer of a `ScoreRequest`. */
  scorers: readonly (string | undefined)[];
}

/** A predicted mean opinion score (MOS) of one aspect; higher is better. */
export interface AspectScore {
  score: number;
  /** Lowest and highest possible score. */
  range: [number, number];
  /** Share of the scorer's reference images that score lower, 0..1. */
  percentile: number;
  /** Prediction interval for the MOS. */
  interval: [number, number];
  /** Share of human ratings that fall into the interval, e.g. 0.9. */
  coverage: number;
  /** What the model said before it was calibrated. */
  raw?: number | undefined;
  /** Standard deviation of that, from the model itself; absent when it has none. */
  spread?: number | undefined;
  /** Probability of each level of the raw value, where the model predicts levels. */
  distribution?: Distribution | undefined;
}

/** Equally long lists. */
export interface Distribution {
  levels: number[];
  probabilities: number[];
}

/** Which weights made a score: enough to reproduce it. */
export interface ScorerStamp {
  id: string;
  version: string;
  variant: string;
  /** `sha256:<hex>` over the graph files of the variant. */
  weights: string;
  /** `sha256:<hex>` of the calibration file. */
  calibration: string;
}

/** What a judge says of one image. */
export interface Judgement {
  aspects: Record<Aspect, AspectScore | null>;
  /** What the aspects make; guards are not yet in it. */
  reward: number | null;
  /** A finding when the image is foreign to the judge. */
  foreign: GuardFinding[];
  /** What was cut or is not known of the prompt, for people. */
  notes: string[];
  /** Whether the prompt was longer than what is read of it. */
  truncated?: boolean | undefined;
  queueMs: number;
  inferMs: number;
}

/** Which images a judge can be asked about; what lies outside trips a guard. */
export interface Domain {
  /** Least pixels on the short side. */
  minSide: number;
  /** Most that the long side may be of the short one. */
  maxAspectRatio: number;
}

/**
 * Whatever gives scores for pixels and a prompt: a scorer in workers of ours, on another machine, or behind a provider.
 * Whoever opened it closes it.
 */
export interface Judge {
  readonly stamp: ScorerStamp;
  readonly domain: Domain;
  /** Thresholds that it proposes where nobody demands any. */
  readonly policy?: Policy | undefined;
  /** Why it cannot judge now; null: it can. */
  readonly fault: string | null;
  /** Told of pixels that will be judged, perhaps, so that it may prepare them. */
  ahead?(pixels: Pixels): void;
  /** Judges one image. @throws PROMPT_REQUIRED, INFERENCE_FAILED, SCORER_RECOVERING, DRAINING, or the signal's reason */
  judge(pixels: Pixels, prompt: string | null, signal: AbortSignal): Promise<Judgement>;
}

/** The judges that there are. */
export interface Judges {
  /** @param name `id` or `id@version`; the default judge when absent. @throws UNKNOWN_SCORER, and what loading throws */
  open(name?: string): Promise<Judge>;
  /** Images that the default judge can have in hand and in work at once. */
  readonly width: number;
}

/** Milliseconds spent on one item. */
export interface Timings {
  /** Decoding and guards. */
  decodeMs: number;
  /** Waiting for its turn and for its batch. */
  queueMs: number;
  /** The batch that the image was part of. */
  inferMs: number;
  totalMs: number;
}

export interface ItemError {
  code: string;
  message: string;
}

/** The verdict on one image. Exactly one of `aspects` and `error` is set. */
export interface ScoreResult {
  id: string;
  source: string | null;
  /** Hex digest of the bytes as received; null when nothing was received. */
  sha256: string | null;
  width: number | null;
  height: number | null;
  /** That of the item; absent when it has none. */
  group?: string | undefined;
  /** The words that were judged; null when there are none. */
  prompt: string | null;
  /** Null when no prompt was given and none looked for. */
  promptSource: PromptSource | null;
  scorer: ScorerStamp | null;
  aspects: Record<Aspect, AspectScore | null> | null;
  /** 0..1, higher is better; null when a guard tripped or the item failed. */
  reward: number | null;
  guards: GuardFinding[];
  decision: Decision | null;
  /** Why the decision is what it is, for people. */
  reasons: string[];
  /** What was cut, guessed, skipped or not applied, for people. */
  notes: string[];
  /** True when the scorer read only the beginning of the prompt. */
  truncated?: boolean | undefined;
  /** When it was asked for, and pixels were seen. */
  colour?: Colour | undefined;
  timings: Timings | null;
  error: ItemError | null;
}

/** Results of one prompt's images, best first. */
export interface RankResult {
  results: ScoreResult[];
  /** Indexes into `results`, best first; items without a reward come last, in request order. */
  order: number[];
  /** `order[0]`, or null when no item has a reward. */
  best: number | null;
}

/** How a score becomes a part of a reward: `(of − subtract) / divide`. */
export interface Affine {
  of: 'score' | 'raw' | 'percentile';
  subtract: number;
  divide: number;
}

/** One score in a reward. */
export interface ProfileTerm {
  /** Of the component in answers; scorer and aspect when absent. */
  name?: string | undefined;
  /** Id, or `id@version`; the configured default when absent. */
  scorer?: string | undefined;
  /** Its own reward when absent. */
  aspect?: Aspect | undefined;
  weight: number;
  /** A name of config/profiles.ts, or what such a name stands for. */
  scale: string | Affine;
}

/** What a missing reward is to a trainer. */
export type MissingRule = 'leave-out' | 'worst' | { floor: number };

/** Which scores make a reward, and what a missing one is. */
export interface Profile {
  /** The reward is their weighted sum. */
  terms: ProfileTerm[];
  missing: MissingRule;
  /** Guards that leave an image without a reward. */
  guards: GuardName[];
}

/** How rewards of a group become advantages; `zscore-each` does it for each component, and then weighs. */
export const ADVANTAGES = ['zscore', 'rank', 'zscore-each'] as const;
export type Advantage = (typeof ADVANTAGES)[number];

export interface RewardRequest
  extends Omit<ScoreRequest, 'scorer' | 'policy' | 'once' | 'records' | 'colour'> {
  /** By name, or itself; the one of the config when absent. */
  profile?: string | Profile | undefined;
  advantage?: Advantage | undefined;
  /** The training run that asks, by name: what the monitor keeps together. */
  run?: string | undefined;
}

/** One term of a reward, for one image. */
export interface RewardComponent {
  weight: number;
  /** On the scale of the profile; null when there is none. */
  value: number | null;
  /** Why there is none. */
  reason: string | null;
  scorer: ScorerStamp | null;
  /** The scores that it is made of. */
  aspects: Partial<Record<Aspect, AspectScore>>;
}

/** Why there is no reward, and what was put in its place. */
export interface MissingReward {
  because: 'failed' | 'guard' | 'not-applicable';
  reason: string;
  /** `leave-out` beside a null reward, also where there is no other of the group to be worst. */
  applied: 'leave-out' | 'worst' | 'floor';
}

export interface RewardItem
  extends Pick<ScoreResult, 'id' | 'source' | 'sha256' | 'width' | 'height' | 'prompt'> {
  group: string | null;
  /** On the scale of the profile; null: leave it out. */
  reward: number | null;
  missing: MissingReward | null;
  /** When asked for: null beside a null reward. */
  advantage?: number | null;
  /** By name of the term. */
  components: Record<string, RewardComponent>;
  /** Whether a scorer read only the beginning of the prompt. */
  truncated: boolean;
  guards: GuardFinding[];
  /** Null when no pixels were seen. */
  colour: Colour | null;
  notes: string[];
  /** Of the first scorer that failed. */
  error: ItemError | null;
}

/** Statistics of the rewards of one group, with those that were put in the place of missing ones. */
export interface RewardGroup {
  /** Null for the images that came without one. */
  group: string | null;
  count: number;
  /** How many have a reward. */
  used: number;
  mean: number | null;
  /** Of the whole group: divided by the number, not by one less. */
  std: number | null;
  /** Nothing can be learned from the group: its rewards are equal, or fewer than two. */
  zeroVariance: boolean;
  /** Ids of images that are equal byte by byte. */
  duplicates: string[][];
  /** Ids of images of nearly one colour. */
  nearBlank: string[];
}

export interface RewardResult {
  /** As it was applied; the name is null for one that came with the request. */
  profile: Profile & { name: string | null };
  scorers: ScorerStamp[];
  results: RewardItem[];
  groups: RewardGroup[];
}

/** A mean in two spans that follow each other. */
export interface Change {
  before: number;
  after: number;
  /** The difference in its own standard errors; above zero it has risen. */
  certainty: number;
}

/** A reward and a held-out score, each in the latest groups and in as many before them. */
export interface Divergence {
  /** How many there are of each. */
  groups: number;
  reward: Change;
  heldOut: Change;
}

/** What a number of images of one run has in common; null where there is nothing to tell. */
export interface RunFigures {
  images: number;
  /** Mean of the rewards, with what was put in the place of missing ones. */
  reward: number | null;
  /** Mean score, by scorer and aspect: `assay-base/quality`. */
  aspects: Record<string, number>;
  /** Mean standard deviation of the rewards within groups of two and more, and the share of groups that have none. */
  withinGroups: number | null;
  zeroVariance: number | null;
  /** Shares of the images: equal to another one of them, with a guard, without a reward of their own, failed. */
  duplicates: number;
  guarded: number;
  missing: number;
  failed: number;
  colour: Colour | null;
}

/** A warning that the reward of a run is being gamed. */
export interface RunWarning extends Divergence {
  run: string;
  profile: string | null;
  /** Unix milliseconds. */
  at: number;
  /** What judged beside the reward. */
  scorer: string;
  message: string;
}

/** What the held-out scorer says of a run. */
export interface HeldOutFigures {
  /** Groups that it has judged, and those that were to be and were not: it was too slow, or it failed. */
  judged: number;
  skipped: number;
  /** Means of the latest groups that both judged. */
  reward: number | null;
  score: number | null;
  /** Share of the pairs within those groups that both put in the same order; 0.5 is chance. */
  agreement: number | null;
  /** Changes over spans of different length, shortest first. */
  changes: Divergence[];
}

/** One training run under one profile. */
export interface RunReport {
  run: string;
  profile: string | null;
  /** Unix milliseconds of the first and the latest request. */
  since: number;
  latest: number;
  images: number;
  /** Of the latest images, and of the first ones. */
  recent: RunFigures;
  start: RunFigures;
  /** How far the colour has moved, in standard deviations of the first images. */
  drift: Colour | null;
  /** Null without a held-out scorer. */
  heldOut: HeldOutFigures | null;
  /** The latest ones. */
  warnings: RunWarning[];
}

export interface MonitorReport {
  /** What is set: the scorer, its aspect (null: its own reward) and the share of groups that it judges. */
  heldOut: { scorer: string; aspect: Aspect | null; share: number } | null;
  /** Latest first. */
  runs: RunReport[];
}

/** One graph of a scorer, as it is now. */
export interface GraphState {
  name: string;
  /** False after a long idle time, too; the next image loads it again. */
  loaded: boolean;
  /** Execution provider of the last load. */
  provider: string | null;
  /** What loading it added to the memory of the process, in MB; null while it is not loaded. */
  memoryMb: number | null;
}

/** What is known of a loaded or loadable scorer. */
export interface ScorerInfo {
  id: string;
  version: string;
  title: string;
  license: string;
  backend: 'onnx' | 'tfjs';
  folder: string;
  default: boolean;
  loaded: boolean;
  variant: string;
  /** Execution provider in use, or the one that would be chosen. */
  provider: string;
  /** Why a preferred provider is not used; empty when it is. */
  providerNotes: string[];
  /** Why it cannot score as it is configured, or as it is now; null: it can, or will once it is loaded. */
  problem: string | null;
  /** What else is to be known of it, for people. */
  notes: string[];
  aspects: Aspect[];
  needsPrompt: boolean;
  /** Its graphs; none before its first use. */
  graphs: GraphState[];
}

/** A model folder that is left out, or a folder of them that cannot be looked into. */
export interface RefusedScorer {
  /** As its manifest says, else the name of its folder; null for a folder of model folders. */
  id: string | null;
  folder: string;
  state: 'refused';
  /** Why, and what to do about it. */
  error: ItemError & { fix: string };
}

/** Filters and page of the history; all given filters must hold. */
export interface HistoryQuery {
  scorer?: string | undefined;
  decision?: Decision | undefined;
  /** Text contained in the prompt, case-insensitive. */
  prompt?: string | undefined;
  sha256?: string | undefined;
  minReward?: number | undefined;
  maxReward?: number | undefined;
  /** Unix milliseconds, inclusive. */
  since?: number | undefined;
  /** Unix milliseconds, exclusive. */
  until?: number | undefined;
  failed?: boolean | undefined;
  /** Rows a page, 1..500. */
  limit: number;
  /** `next` of the page before. */
  cursor?: string | undefined;
}

/** A recorded verdict. */
export interface HistoryEntry {
  rowId: number;
  /** Unix milliseconds of the reply. */
  at: number;
  client: string;
  result: ScoreResult;
}

/** Newest first. */
export interface HistoryPage {
  entries: HistoryEntry[];
  /** Cursor of the next page, or null at the end. */
  next: string | null;
}

/** Told of every finished result, and who asked for it. */
export type ResultListener = (result: ScoreResult, client: string) => void;

/** What the bridges may ask of the rest of Assay; runtime.ts puts it together. */
export interface Service {
  /**
   * Results in request order. Throws only for what is wrong with the request as a whole. When its signal aborts, settles
   * at once: with what is finished, and the reason in the other items.
   */
  score(request: ScoreRequest): Promise<ScoreResult[]>;
  rank(request: ScoreRequest): Promise<RankResult>;
  /** Rewards of several scorers at once. @throws UNKNOWN_PROFILE, and as `score` */
  reward(request: RewardRequest): Promise<RewardResult>;
  /** The reward profiles by name. */
  profiles(): Record<string, Profile>;
  scorers(): ScorerInfo[];
  /** Those that are installed and cannot be used. */
  refusedScorers(): RefusedScorer[];
  /** The prompt in a workflow or an image file; nothing is scored. Never throws. */
  findPrompt(place: PromptPlace): PromptFound;
  /** Throws STORE_UNAVAILABLE. A page may hold less than its limit and have a next one all the same. */
  history(query: HistoryQuery, signal?: AbortSignal): Promise<HistoryPage>;
  /** Calls `listener` with every finished result until the returned function is called. */
  subscribe(listener: ResultListener): () => void;
  /** Training runs as the rewards show them. */
  monitor(): MonitorReport;
  /** Calls `listener` with every warning until the returned function is called. */
  onWarning(listener: (warning: RunWarning) => void): () => void;
  /** Null when the default scorer is loaded and warm, else what is missing. */
  notReady(): string | null;
  /** Images waiting and images in work, for metrics. */
  load(): { waiting: number; running: number };
  /** How full the queue is: requests that wait for room in it, milliseconds of the oldest wait, and of an image inside. */
  pressure(): { held: number; oldestMs: number; serviceMs: number };
  /** Verdicts written to the history and lost since the start, and whether it works now. */
  recording(): { recorded: number; dropped: number; state: 'ok' | 'degraded' | 'off' };
}
