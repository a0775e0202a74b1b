/** ComfyUI as a host: over HTTP for what counts, and a websocket for what is quick. */
import { limitsSchema } from '../../../../config/settings.ts';
import type { Host, HostWarnings } from '../../../../host.ts';
import type { HostOptions } from '../../kind.ts';
import { parseAddress } from '../../link/address.ts';
import { createHttp } from '../../link/http.ts';
import { recent } from '../../link/recent.ts';
import { TUNING } from '../../tuning.ts';
import { checkWorkflow } from '../workflow/workflow.ts';
import { createCancel } from './cancel.ts';
import { watchChanges } from './changes.ts';
import { describeHost } from './describe.ts';
import { fetchFile } from './files.ts';
import { followRun } from './follow.ts';
import { createHistory } from './history.ts';
import { createFeeds } from './live/feeds.ts';
import { Live } from './live/live.ts';
import { createQueue } from './queue.ts';
import { newPromptId, submitGraph } from './submit.ts';

export interface ComfyOptions extends Omit<HostOptions, 'settings'> {
  /** http or https; may hold a path, a query for every request, and a login for a proxy in front. */
  url: string;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
}

/** Age at which the queue, which is one for all runs that are followed, is asked for again. */
const QUEUE_AGE_MS = 200;

/** Does nothing yet: the first request or the first wish to listen connects. @throws USAGE when the URL is none */
export function createComfyHost(options: ComfyOptions): Host {
  const { limits = limitsSchema.parse({}), log } = options;
  const tuning = { ...TUNING, ...options.tuning };
  const address = parseAddress(options.url, options.headers);
  const http = createHttp({ address, expected: 'ComfyUI', maxBytes: limits.maxBodyBytes, tuning });
  const queue = createQueue(http);
  const warnings: HostWarnings = { malformedFrames: 0, unknownFrames: 0, reconnects: 0, tooLarge: 0 };
  const onTooLarge = () => void warnings.tooLarge++;
  const history = createHistory(http, limits.maxBodyBytes, options.findPrompt, onTooLarge);
  const feeds = createFeeds(warnings);
  const live = new Live({
    address,
    maxBytes: limits.maxBodyBytes,
    tuning,
    log,
    queueLength: queue.length,
    onReconnect: () => warnings.reconnects++,
  });
  const cancel = createCancel(http, queue);
  const follower = {
    url: http.url,
    history,
    queue: recent(queue.now, QUEUE_AGE_MS),
    isLive: () => live.isOpen,
    tuning,
  };
  let stopListening: (() => void) | undefined;

  async function knows(id: string, signal: AbortSignal): Promise<boolean> {
    const { running, pending } = await queue.now(signal);
    return running.includes(id) || pending.includes(id) || (await history.find(id, signal)) !== undefined;
  }

  return {
    url: http.url,
    warnings,
    get isBusy() {
      return live.queued > 0;
    },
    describe: (signal) => describeHost(http, signal),
    async submit(workflow, signal) {
      const graph = checkWorkflow(workflow, 'the workflow');
      stopListening ??= live.listen(feeds.hear);
      await live.start(signal);
      const id = newPromptId();
      feeds.of(id);
      try {
        const submission = await submitGraph(graph, id, live.clientId, { http, knows }, signal);
        // Hosts of before prompt ids could be chosen chose one themselves.
        if (submission.id !== id) feeds.drop(id);
        return submission;
      } catch (error) {
        feeds.drop(id);
        throw error;
      }
    },
    async *follow(id, signal) {
      try {
        yield* followRun(id, feeds.of(id), follower, signal);
      } finally {
        feeds.drop(id);
      }
    },
    cancel,
    runs: (signal, newest) => history.list(signal, newest),
    async queued(signal) {
      const { running, pending } = await queue.now(signal);
      return [...running, ...pending];
    },
    changes: (pollMs, signal) => watchChanges({ live, probe: queue.length, tuning }, pollMs, signal),
    fetchFile: (file, signal) => fetchFile(http, file, limits.maxImageBytes, signal),
    async close() {
      stopListening?.();
      await live.close();
    },
  };
}
