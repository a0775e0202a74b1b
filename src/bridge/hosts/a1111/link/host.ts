/** The AUTOMATIC1111 family as a host: HTTP alone. Runs are ours, one after another; all else its output folder tells. */
import { limitsSchema } from '../../../../config/settings.ts';
import { fail } from '../../../../errors/error.ts';
import type { Host, HostRun, HostWarnings } from '../../../../host.ts';
import { orAbort } from '../../../../lib/abort.ts';
import { pause } from '../../../../lib/pause.ts';
import type { HostOptions } from '../../kind.ts';
import { parseAddress } from '../../link/address.ts';
import { createHttp } from '../../link/http.ts';
import { TUNING } from '../../tuning.ts';
import { checkRequest } from '../workflow/request.ts';
import { watchChanges } from './changes.ts';
import { describeHost } from './describe.ts';
import { readFolders } from './folders.ts';
import { type Fork, findFork } from './fork.ts';
import { createJob, type Job } from './job.ts';
import { leaves } from './leaves.ts';
import { type Now, readNow } from './now.ts';
import { otherTasks } from './queue.ts';
import { checkFields } from './refusal.ts';
import { Runner } from './runner.ts';
import { createShelf } from './shelf.ts';

export interface A1111Options extends Omit<HostOptions, 'settings'> {
  /** http or https; may hold a path, a query for every request, and a login. */
  url: string;
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>;
}

/** Runs that are remembered once they have ended, and jobs that nobody follows. */
const MOST_RUNS = 200;
const MOST_JOBS = 1000;

const EXPECTED = 'AUTOMATIC1111, Forge or SD.Next';

/** The answer of the host about itself, asked for once, until it was away. */
function remembered(ask: (signal: AbortSignal) => Promise<Fork>) {
  let known: Fork | undefined;
  return {
    async fork(signal: AbortSignal): Promise<Fork> {
      known ??= await ask(signal);
      return known;
    },
    forget: () => {
      known = undefined;
    },
  };
}

/** Does nothing yet: the first request connects. @throws USAGE when the URL is none */
export function createA1111Host(options: A1111Options): Host {
  const { limits = limitsSchema.parse({}), log } = options;
  const tuning = { ...TUNING, ...options.tuning };
  const address = parseAddress(options.url, options.headers);
  const http = createHttp({ address, expected: EXPECTED, maxBytes: limits.maxBodyBytes, tuning });
  const warnings: HostWarnings = { malformedFrames: 0, unknownFrames: 0, reconnects: 0, tooLarge: 0 };
  const { fork, forget } = remembered((signal) => findFork(http, signal));
  const shelf = createShelf();
  const jobs = new Map<string, Job>();
  const runs: HostRun[] = [];
  let now: Now | undefined;
  const onNow = (seen: Now) => {
    now = seen;
  };
  const runner = new Runner({
    ...{ http, address, fork, shelf, find: options.findPrompt, maxBytes: limits.maxBodyBytes },
    ...{ tuning, log, onNow, onLost: forget },
  });

  function remember(job: Job): void {
    jobs.set(job.id, job);
    if (jobs.size > MOST_JOBS) jobs.delete(jobs.keys().next().value!);
    void job.over.then(() => {
      if (job.outcome && 'run' in job.outcome) runs.push(job.outcome.run);
      if (runs.length > MOST_RUNS) runs.shift();
    });
  }

  const lost = (id: string) => fail('PROMPT_LOST', { id, url: http.url });

  return {
    url: http.url,
    warnings,
    truth: 'folder',
    get isBusy() {
      return runner.ids.length > 0 || (now !== undefined && !now.isIdle);
    },
    describe: (signal) => describeHost(http, fork, signal),
    async submit(workflow, signal) {
      const request = checkRequest(workflow, 'the workflow');
      checkFields(await fork(signal), request);
      const job = createJob(request);
      remember(job);
      runner.add(job);
      // A refusal comes at once, where nothing is before it. Else whoever follows is told.
      const isFirst = runner.ids[0] === job.id;
      const settled = Promise.race([job.over, job.taken, pause(isFirst ? tuning.refusalMs : 0, signal)]);
      await orAbort(settled, signal).catch((error) => {
        void runner.cancel(job, AbortSignal.timeout(tuning.requestMs));
        throw error;
      });
      if (!job.outcome || 'run' in job.outcome) return { id: job.id, faults: [] };
      jobs.delete(job.id);
      throw job.outcome.error;
    },
    async *follow(id, signal) {
      const job = jobs.get(id);
      if (!job) throw lost(id);
      while (true) {
        const { outcome } = job;
        yield* job.take();
        if (outcome) {
          jobs.delete(id);
          if ('error' in outcome) throw outcome.error;
          return;
        }
        await job.bell.wait(tuning.pollMs, signal);
      }
    },
    async cancel(id, signal) {
      signal.throwIfAborted();
      const job = jobs.get(id);
      return job !== undefined && (await runner.cancel(job, signal));
    },
    runs: async (_signal, newest = MOST_RUNS) => runs.slice(-newest),
    async queued(signal) {
      const ours = runner.ids;
      onNow(await readNow(http, signal, false));
      const others = await otherTasks(http, await fork(signal), signal);
      return [...ours, ...others.filter((id) => !ours.includes(id)), ...strangers(ours)];
    },
    changes(pollMs, signal) {
      const onAway = () => {
        now = undefined;
      };
      return watchChanges({ http, tuning, onNow, onAway, onBack: forget }, pollMs, signal);
    },
    folders: async (signal) => readFolders(http, await fork(signal), signal),
    leaves,
    async fetchFile(file, signal) {
      signal.throwIfAborted();
      const bytes = shelf.get(file);
      if (!bytes) throw fail('IMAGE_GONE', { name: `${file.subfolder}/${file.filename}`, url: http.url });
      if (bytes.length > limits.maxImageBytes)
        throw fail('IMAGE_TOO_HEAVY', { bytes: bytes.length, maxBytes: limits.maxImageBytes });
      return bytes;
    },
    close: () => runner.close(),
  };

  /** Somebody's job that has no name here. */
  function strangers(ours: readonly string[]): string[] {
    return ours.length === 0 && now !== undefined && !now.isIdle ? ['a job of another client'] : [];
  }
}
