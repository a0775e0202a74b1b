/** Queue and worker of the fake host: one prompt at a time, with the real one's order of events. */
import type { Graph } from './graphs.ts';
import type { Hub } from './hub.ts';
import { type Bench, Blocker, type Images, type Inputs, NODES, type NodeResult } from './nodes.ts';
import type { Settings } from './settings.ts';
import { type Files, type HistoryEntry, pictureOf } from './store.ts';

export type Item = HistoryEntry['prompt'];

export class Interrupted extends Error {}

export interface Worker {
  readonly pending: Item[];
  readonly running: Item[];
  readonly history: Map<string, HistoryEntry>;
  /** Node that runs now, and the client it runs for. */
  readonly now: { node: string | null; client: string | null };
  put(item: Item): void;
  delete(id: string): boolean;
  interrupt(): void;
  /** Tells all how long the queue is. */
  announce(): void;
  /** Forgets everything, like a process that ends. */
  end(): void;
}

interface Run {
  id: string;
  graph: Graph;
  client: string | null;
  outputs: HistoryEntry['outputs'];
  values: Map<string, NodeResult['value']>;
  messages: [string, object][];
  cached: Set<string>;
}

export const queueInfo = (worker: Pick<Worker, 'pending' | 'running'>) => ({
  exec_info: { queue_remaining: worker.pending.length + worker.running.length },
});

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export function createWorker(hub: Hub, files: Files, settings: Settings): Worker {
  let interrupted = false;
  let ended = false;
  let busy = false;
  let cache = new Map<string, NodeResult>();
  const worker: Worker = {
    pending: [],
    running: [],
    history: new Map(),
    now: { node: null, client: null },
    put(item) {
      worker.pending.push(item);
      worker.announce();
      if (!busy) void work();
    },
    delete(id) {
      const at = worker.pending.findIndex((item) => item[1] === id);
      if (at < 0) return false;
      worker.pending.splice(at, 1);
      worker.announce();
      return true;
    },
    interrupt() {
      interrupted = true;
    },
    announce: () => hub.send('status', { status: queueInfo(worker) }, null),
    end() {
      ended = true;
    },
  };

  async function work(): Promise<void> {
    busy = true;
    while (worker.pending.length > 0 && !ended) {
      worker.pending.sort((a, b) => a[0] - b[0]);
      const item = worker.pending.shift()!;
      worker.running.push(item);
      worker.announce();
      await execute(item);
    }
    busy = false;
  }

  async function execute(item: Item): Promise<void> {
    const [, id, graph, extra, outputs] = item as unknown as [
      number,
      string,
      Graph,
      { client_id?: string },
      string[],
    ];
    const client = extra.client_id ?? null;
    const run: Run = { id, graph, client, outputs: {}, values: new Map(), messages: [], cached: new Set() };
    Object.assign(worker.now, { node: null, client });
    interrupted = false;
    const signatures = signaturesOf(graph);
    for (const [node, signature] of Object.entries(signatures))
      if (cache.has(signature)) run.cached.add(node);
    say(run, 'execution_start', {});
    say(run, 'execution_cached', { nodes: [...run.cached] });
    const status = await runAll(run, outputs, signatures);
    cache = new Map([...cache].filter(([signature]) => Object.values(signatures).includes(signature)));
    if (!ended) await close(run, item, status);
  }

  async function runAll(run: Run, outputs: string[], signatures: Record<string, string>): Promise<string> {
    try {
      for (const output of outputs) await evaluate(run, output, signatures);
      await settings.atEnd?.(run.id);
      say(run, 'execution_success', {});
      return 'success';
    } catch (error) {
      const node = worker.now.node ?? '';
      const about = { node_id: node, node_type: run.graph[node]?.class_type ?? '', executed: [] };
      await settings.atEnd?.(run.id);
      if (error instanceof Interrupted) say(run, 'execution_interrupted', about);
      else
        say(run, 'execution_error', {
          ...about,
          exception_message: String((error as Error).message),
          exception_type: 'RuntimeError',
          traceback: [],
        });
      return 'error';
    }
  }

  /** The terminal event is out: now the history, `status`, and at last `executing` without a node. */
  async function close(run: Run, item: Item, status: string): Promise<void> {
    if (settings.lateHistoryMs > 0) {
      hub.send('executing', { node: null, prompt_id: run.id }, run.client);
      await pause(settings.lateHistoryMs);
    }
    if (ended) return;
    worker.running.splice(0);
    const { outputs, messages } = run;
    worker.history.set(run.id, {
      prompt: item,
      outputs,
      status: { status_str: status, completed: status === 'success', messages },
      meta: {},
    });
    worker.announce();
    Object.assign(worker.now, { node: null, client: null });
    if (settings.lateHistoryMs === 0) hub.send('executing', { node: null, prompt_id: run.id }, run.client);
  }

  function say(run: Run, event: string, data: object): void {
    const message = { ...data, prompt_id: run.id, timestamp: Date.now() };
    run.messages.push([event, message]);
    if (run.client !== null) hub.send(event, message, run.client);
  }

  /** Runs a node after those it depends on. A blocker passes on without running anything. */
  async function evaluate(
    run: Run,
    id: string,
    signatures: Record<string, string>,
  ): Promise<NodeResult['value']> {
    if (run.values.has(id)) return run.values.get(id);
    const node = run.graph[id]!;
    const inputs: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(node.inputs))
      inputs[name] = Array.isArray(value) ? await evaluate(run, value[0], signatures) : value;
    const blocker = Object.values(inputs).find((value) => value instanceof Blocker);
    const result = blocker ? blockedBy(run, id, blocker) : await runNode(run, id, inputs, signatures[id]!);
    run.values.set(id, result.value);
    return result.value;
  }

  function blockedBy(run: Run, id: string, blocker: Blocker): NodeResult {
    const about = { prompt_id: run.id, node_id: id, exception_type: 'ExecutionBlocked' };
    if (blocker.message !== null && NODES[run.graph[id]!.class_type]!.output)
      hub.send(
        'execution_error',
        { ...about, exception_message: `Execution Blocked: ${blocker.message}` },
        run.client,
      );
    return { value: blocker };
  }

  async function runNode(run: Run, id: string, inputs: object, signature: string): Promise<NodeResult> {
    const hit = cache.get(signature);
    if (!hit) {
      worker.now.node = id;
      if (interrupted) throw new Interrupted();
      hub.send('executing', { node: id, display_node: id, prompt_id: run.id }, run.client);
    }
    const result = hit ?? (await NODES[run.graph[id]!.class_type]!.run(inputs as Inputs, benchOf(run, id)));
    cache.set(signature, result);
    if (result.ui) {
      run.outputs[id] = result.ui;
      const about = { node: id, display_node: id, output: result.ui, prompt_id: run.id };
      hub.send('executed', about, run.client);
    }
    return result;
  }

  const benchOf = (run: Run, node: string): Bench => ({
    node,
    save: files.save,
    frame: (frame) => hub.sendRaw(frame, run.client),
    async step(value, max, ms, images) {
      if (settings.isPatient) await hub.read(run.client);
      await settings.atStep?.(run.id, value);
      await pause(ms);
      if (interrupted || ended) throw new Interrupted();
      if (settings.previews) hub.preview(await previewOf(images, value / max), node, run.id, run.client);
      hub.send('progress', { value, max, prompt_id: run.id, node }, run.client);
    },
  });
  return worker;
}

/** Levels that the first previews are off at most. */
const OFF = 60;

/** The less of the steps is done, the less its brightness is that of the image. */
function previewOf(images: Images, share: number): Promise<Buffer> {
  const { seed, lift = 0 } = images;
  const off = seed === undefined ? 0 : (((seed * 7919) % 101) / 50 - 1) * OFF * (1 - share) ** 2;
  return pictureOf({ ...images, lift: lift + Math.round(off) })
    .jpeg()
    .toBuffer();
}

/** Equal for nodes that would give equal results. */
function signaturesOf(graph: Graph): Record<string, string> {
  const sign = (id: string): unknown => {
    const { class_type, inputs } = graph[id]!;
    const entries = Object.entries(inputs).map(([k, v]) => [k, Array.isArray(v) ? sign(v[0]) : v]);
    return [class_type, entries];
  };
  return Object.fromEntries(Object.keys(graph).map((id) => [id, JSON.stringify(sign(id))]));
}
