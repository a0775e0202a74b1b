/** The searches of a session: a few at once, and the last of them to be asked for. */
import { fail } from '../../errors/error.ts';
import { Job, type JobOptions } from './job.ts';

/** A host makes one image at a time. */
const MOST_RUNNING = 2;
const MOST_KEPT = 20;
const STOP_MS = 20_000;
const CLOSE_MS = 8000;

/** Arguments that searches get, too: all but the folders, which are the agent's. */
export function passedOn(args: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++)
    if (args[i] === '--allow') i++;
    else if (!args[i]!.startsWith('--allow=')) kept.push(args[i]!);
  return kept;
}

export class Jobs {
  readonly #args: readonly string[];
  readonly #jobs = new Map<string, Job>();
  #count = 0;

  /** @param args of every search: which host, which scorer */
  constructor(args: readonly string[]) {
    this.#args = args;
  }

  /** @throws SEARCHES_FULL */
  begin({ args, ...options }: Omit<JobOptions, 'id'>): Job {
    const count = [...this.#jobs.values()].filter(({ isOver }) => !isOver).length;
    if (count >= MOST_RUNNING) throw fail('SEARCHES_FULL', { count });
    const job = new Job({ ...options, id: `s${++this.#count}`, args: [...args, ...this.#args] });
    this.#jobs.set(job.id, job);
    for (const old of this.#jobs.values())
      if (this.#jobs.size > MOST_KEPT && old.isOver) this.#jobs.delete(old.id);
    return job;
  }

  /** The one of that id, or the last. @throws SEARCH_UNKNOWN */
  find(id: string | undefined): Job {
    const job = id === undefined ? [...this.#jobs.values()].at(-1) : this.#jobs.get(id);
    if (job) return job;
    const ids = [...this.#jobs.keys()];
    const known = ids.length > 0 ? `; there are ${ids.join(', ')}` : '; none was started';
    throw fail('SEARCH_UNKNOWN', { id: id ?? 'at all', known });
  }

  stop = (job: Job): Promise<void> => job.stop(STOP_MS);

  /** Stops all that run. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.values()].map((job) => job.stop(CLOSE_MS)));
  }
}
