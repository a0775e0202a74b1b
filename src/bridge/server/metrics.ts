/** Prometheus metrics of the server, in a registry of their own. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ScoreResult } from '../../types/result.ts';
import type { RewardItem } from '../../types/reward.ts';
import type { Service } from '../../types/service.ts';
import type { Budget } from './budget.ts';
import type { Outbox } from './outbox.ts';
import { addRunGauges } from './run-metrics.ts';

export type Outcome = 'scored' | 'guarded' | 'failed';

export interface Metrics {
  contentType: string;
  text(): Promise<string>;
  /** @param status HTTP status, or `ok` or an error code for websocket requests */
  request(route: string, status: string, ms: number): void;
  results(results: readonly ScoreResult[]): void;
  rewards(results: readonly RewardItem[]): void;
  socketOpened(): void;
  socketClosed(): void;
  eventsLost(count: number): void;
  close(): void;
}

/** Seconds; from a cached answer to a full queue. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

export const outcomeOf = (result: Pick<ScoreResult, 'error' | 'guards'>): Outcome => {
  if (result.error) return 'failed';
  return result.guards.length > 0 ? 'guarded' : 'scored';
};

/** Bytes that are held for clients. */
interface Held {
  budget: Pick<Budget, 'heldBytes'>;
  outbox: Pick<Outbox, 'unsentBytes'>;
}

export function createMetrics(service: Service, version: string, held: Held): Metrics {
  const registry = new Registry();
  const registers = [registry];
  addGauges(registry, service, version);
  addRunGauges(registry, service);
  const delay = monitorEventLoopDelay({ resolution: BLOCK_RESOLUTION_MS });
  delay.enable();
  addProcessGauges(registry, held, delay);
  const requests = new Counter({
    name: 'assay_requests_total',
    help: 'Requests answered, by route (or websocket op) and status',
    labelNames: ['route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'assay_request_duration_seconds',
    help: 'Time from receipt to answer',
    labelNames: ['route'],
    buckets: BUCKETS,
    registers,
  });
  const items = new Counter({
    name: 'assay_items_total',
    help: 'Images answered, by outcome: scored, guarded (a guard forbids the score) or failed',
    labelNames: ['outcome'],
    registers,
  });
  const stages = new Histogram({
    name: 'assay_stage_duration_seconds',
    help: 'Time of one image in a stage',
    labelNames: ['stage'],
    buckets: BUCKETS,
    registers,
  });
  const sockets = new Gauge({ name: 'assay_websockets', help: 'Open websockets', registers });
  const lost = new Counter({
    name: 'assay_feed_events_lost_total',
    help: 'Events not sent because a subscriber was too slow',
    registers,
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request: (route, status, ms) => {
      requests.inc({ route, status });
      durations.observe({ route }, ms / 1000);
    },
    results: (results) => {
      for (const result of results) countItem(result, items, stages);
    },
    rewards: (results) => {
      for (const result of results) items.inc({ outcome: outcomeOf(result) });
    },
    socketOpened: () => sockets.inc(),
    socketClosed: () => sockets.dec(),
    eventsLost: (count) => lost.inc(count),
    close: () => void delay.disable(),
  };
}

function countItem(result: ScoreResult, items: Counter<'outcome'>, stages: Histogram<'stage'>): void {
  items.inc({ outcome: outcomeOf(result) });
  if (!result.timings) return;
  const { decodeMs, queueMs, inferMs, totalMs } = result.timings;
  for (const [stage, ms] of Object.entries({
    decode: decodeMs,
    queue: queueMs,
    infer: inferMs,
    total: totalMs,
  }))
    stages.observe({ stage }, ms / 1000);
}

type AddGauge = (name: string, help: string, read: () => number) => void;

/** Adds gauges that are read when the page is asked for; one that cannot be read then is NaN, and fails no other. */
const gaugesOf =
  (registry: Registry): AddGauge =>
  (name, help, read) => {
    const collect = () => metric.set(readSafely(read));
    const metric: Gauge = new Gauge({ name, help, registers: [registry], collect });
  };

/** Memory, for one, is told by a file of the system, and files can run out. */
function readSafely(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN;
  }
}

function addGauges(registry: Registry, service: Service, version: string): void {
  const gauge = gaugesOf(registry);
  gauge('assay_queue_waiting', 'Images waiting', () => service.load().waiting);
  gauge('assay_queue_running', 'Images in work', () => service.load().running);
  gauge('assay_queue_held', 'Requests that wait for room in the queue', () => service.pressure().held);
  gauge('assay_queue_oldest_seconds', 'How long the oldest image or request has waited', () => {
    return service.pressure().oldestMs / 1000;
  });
  gauge(
    'assay_queue_service_seconds',
    'Time of an image from its turn to its result, on a running average',
    () => {
      return service.pressure().serviceMs / 1000;
    },
  );
  gauge('assay_ready', '1 when the default scorer is loaded and warm', () => (service.notReady() ? 0 : 1));
  gauge('assay_history_recorded', 'Verdicts written to the history', () => service.recording().recorded);
  gauge('assay_history_dropped', 'Verdicts that could not be written', () => service.recording().dropped);
  gauge('assay_history_ok', '1 when the history takes verdicts, or is switched off', () =>
    service.recording().state === 'degraded' ? 0 : 1,
  );
  const info = new Gauge({
    name: 'assay_info',
    help: 'Version',
    labelNames: ['version'],
    registers: [registry],
  });
  info.set({ version }, 1);
}

/** How finely blocks of the event loop are told, in milliseconds. */
const BLOCK_RESOLUTION_MS = 20;

function addProcessGauges(
  registry: Registry,
  { budget, outbox }: Held,
  delay: ReturnType<typeof monitorEventLoopDelay>,
): void {
  const gauge = gaugesOf(registry);
  gauge('assay_request_bytes', 'Bytes of requests that are arriving or in work', () => budget.heldBytes);
  gauge('assay_answer_bytes', 'Bytes of answers that clients have not taken', () => outbox.unsentBytes);
  gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'Unix time of the start', () => performance.timeOrigin / 1000);
  gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed);
  gauge('nodejs_external_memory_bytes', 'Memory of buffers', () => process.memoryUsage().external);
  gauge('nodejs_eventloop_utilization', 'Share of time the event loop was busy, since the start', () => {
    return performance.eventLoopUtilization().utilization;
  });
  gauge(
    'nodejs_eventloop_delay_max_seconds',
    'Longest time that the event loop was blocked, since the page was last asked for',
    () => {
      const seconds = Math.max(0, delay.max / 1e9 - BLOCK_RESOLUTION_MS / 1e3);
      delay.reset();
      return seconds;
    },
  );
  const cpu: Counter = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process',
    registers: [registry],
    collect: () => {
      const { user, system } = process.cpuUsage();
      cpu.reset();
      cpu.inc((user + system) / 1e6);
    },
  });
}
