/** Studies that clients drive: a folder each in the data folder, opened when it is asked for. */
import { randomInt, randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Config } from '../../config.ts';
import { AssayError, fail } from '../../errors/error.ts';
import { orAbort } from '../../lib/abort.ts';
import { version } from '../../lib/version.ts';
import type { Studies, StudyAsked, StudyPlan, StudyState, StudyTold, Telling } from '../../types/study.ts';
import { CLIENT_STUDY, type ClientEvent, type ClientPlan } from './client-folder.ts';
import { ClientStudy } from './client-study.ts';
import { beginKind, holdsStudy, openKind } from './folder.ts';
import { specOf } from './spec.ts';
import { type Asker, type Digest, type HearParts, hear, marksAgain } from './told.ts';

export interface StudiesParts extends Pick<HearParts, 'panel'> {
  config: Config;
  /** Makes sure that no other process works in the folder of that lock. @throws STORE_UNAVAILABLE */
  hold(lock: string): { release(): void } | { holder: unknown };
  /** Hex sha256 of an image, as results have it. */
  digest: Digest;
  /** @throws UNKNOWN_SCORER */
  stampOf(name: string): { id: string; version: string };
}

/** Kept open at once; the others are read again when they are asked for. */
const MOST_OPEN = 64;
/** Of the plan as JSON. */
const MOST_PLAN_CHARS = 2 ** 18;
/** Axes, measures and rungs. */
const MOST_LISTED = 16;
/** Also safe as the name of a folder. */
const ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const ID_EXPECTED = '1 to 64 of a-z, 0-9, - and _, with a letter or digit first';

export class ClientStudies implements Studies {
  readonly #parts: StudiesParts;
  readonly #folder: string;
  readonly #open = new LRUCache<string, ClientStudy>({
    max: MOST_OPEN,
    dispose: ({ folder }) => folder.close(),
  });
  readonly #busy = new Map<string, Promise<unknown>>();
  #hold: { release(): void } | undefined;

  constructor(parts: StudiesParts) {
    this.#parts = parts;
    this.#folder = join(parts.config.dataDir, 'studies');
  }

  begin = (plan: StudyPlan): Promise<StudyState> => this.#alone('begin', () => this.#begin(plan));

  ask(id: string, n: number, held?: readonly string[]): StudyAsked {
    const one = this.#find(id);
    const trials = one.ask(n, held);
    return { trials, done: one.study.done() };
  }

  tell = (id: string, telling: Telling, asker: Asker): Promise<StudyTold> =>
    this.#alone(`${id} ${telling.trial}`, () => this.#tell(id, telling, asker), asker.signal);

  state = (id: string): StudyState => this.#find(id).state();

  close(): void {
    this.#open.clear();
    this.#hold?.release();
    this.#hold = undefined;
  }

  async #begin({ study: given, spec, scorer, policy }: StudyPlan): Promise<StudyState> {
    if (given !== undefined && !ID.test(given))
      throw fail('STUDY_INVALID', { field: 'study', reason: ID_EXPECTED });
    if (JSON.stringify(spec).length > MOST_PLAN_CHARS)
      throw fail('STUDY_INVALID', {
        field: 'spec',
        reason: `it has more than ${MOST_PLAN_CHARS} characters`,
      });
    this.#take();
    const before = given !== undefined && this.#holds(given) ? this.#find(given) : undefined;
    const seed = before?.study.spec.seed ?? randomInt(2 ** 32);
    const whole = inBody(() => {
      const made = specOf({ version: 1, seed, ...spec });
      this.#check(made, scorer);
      return made;
    });
    const wanted = { spec: whole, scorer, policy };
    if (before) return sameAs(before, wanted);
    const id = given ?? randomUUID();
    const count = readdirSync(this.#folder).filter((name) => ID.test(name)).length;
    if (count >= this.#parts.config.limits.maxStudies)
      throw fail('STUDIES_FULL', { count, folder: this.#folder });
    const plan: ClientPlan = {
      version: 1,
      assay: version,
      begun: new Date().toISOString(),
      ...wanted,
      ...this.#judge(scorer),
    };
    const folder = await beginKind<ClientPlan, ClientEvent>(this.#path(id), plan, CLIENT_STUDY);
    const begun = new ClientStudy(id, folder);
    this.#open.set(id, begun);
    return begun.state();
  }

  /** Bounds that keep one ask short. @throws STUDY_INVALID, UNKNOWN_SCORER */
  #check({ images, axes, pick, strategy }: ClientPlan['spec'], scorer: string | undefined): void {
    const lists = Object.entries(strategy).filter(([, value]) => Array.isArray(value)) as [
      string,
      unknown[],
    ][];
    const counts: [field: string, found: number, most: number][] = [
      ['images', images, this.#parts.config.limits.maxStudyImages],
      ['axes', Object.keys(axes).length, MOST_LISTED],
      ['pick', pick.length, MOST_LISTED],
      ...lists.map(([name, list]): [string, number, number] => [
        `strategy.${name}`,
        list.length,
        MOST_LISTED,
      ]),
    ];
    for (const [field, found, most] of counts)
      if (found > most)
        throw fail('STUDY_INVALID', { field, reason: `expected at most ${most}, found ${found}` });
    if (scorer !== undefined) this.#parts.stampOf(scorer);
  }

  /** A study of scores by its client begins without a scorer, too. */
  #judge(scorer: string | undefined): Pick<ClientPlan, 'judge'> {
    try {
      const { id, version } = this.#parts.stampOf(scorer ?? this.#parts.config.scorer);
      return { judge: `${id}@${version}` };
    } catch (error) {
      if (error instanceof AssayError) return {};
      throw error;
    }
  }

  async #tell(id: string, telling: Telling, asker: Asker): Promise<StudyTold> {
    const before = this.#find(id);
    const { trial, outcome } = before.trial(telling.trial);
    if (outcome) {
      const marks = await marksAgain(telling, this.#parts.digest, asker.signal);
      if (!before.isTold(trial.id, marks)) throw fail('TRIAL_TOLD', { id: trial.id });
      return { results: [], again: true, done: before.study.done() };
    }
    const { plan } = before.folder;
    const { ended, results, marks } = await hear({ plan, panel: this.#parts.panel }, trial, telling, asker);
    // Meanwhile others may have been asked for, and this one been closed.
    const now = this.#find(id);
    now.tell(trial.id, ended, marks);
    return { results, again: false, done: now.study.done() };
  }

  /** @throws STUDY_UNKNOWN, STUDY_HELD, STUDY_DAMAGED, STUDY_VERSION */
  #find(id: string): ClientStudy {
    const open = this.#open.get(id);
    if (open) return open;
    if (!ID.test(id) || !this.#holds(id))
      throw fail('STUDY_UNKNOWN', { id: JSON.stringify(id.slice(0, 64)) });
    this.#take();
    const found = new ClientStudy(id, openKind<ClientPlan, ClientEvent>(this.#path(id), CLIENT_STUDY));
    this.#open.set(id, found);
    return found;
  }

  #path = (id: string): string => join(this.#folder, id);
  #holds = (id: string): boolean => holdsStudy(this.#path(id), CLIENT_STUDY);

  /** The folder of all studies is one process's. @throws STUDY_HELD, STORE_UNAVAILABLE */
  #take(): void {
    if (this.#hold) return;
    const hold = this.#parts.hold(join(this.#folder, 'studies.lock'));
    if (!('release' in hold)) throw fail('STUDY_HELD', { folder: this.#folder, holder: 'another process' });
    this.#hold = hold;
  }

  /** One after the other, of those with the same name. */
  async #alone<T>(name: string, act: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    while (this.#busy.has(name))
      await (signal ? orAbort(this.#busy.get(name)!, signal) : this.#busy.get(name));
    const work = act();
    this.#busy.set(
      name,
      work.catch(() => undefined),
    );
    try {
      return await work;
    } finally {
      this.#busy.delete(name);
    }
  }
}

/** Fields as the client has written them. @throws STUDY_INVALID, and what `make` throws */
function inBody<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== 'STUDY_INVALID') throw error;
    const { field, reason } = error.details as { field: string; reason: string };
    throw fail('STUDY_INVALID', { field: field === '' ? 'spec' : `spec.${field}`, reason }, { cause: error });
  }
}

/** A study that is begun again. @throws STUDY_TAKEN */
function sameAs(before: ClientStudy, wanted: Pick<ClientPlan, 'spec' | 'scorer' | 'policy'>): StudyState {
  const { plan } = before.folder;
  for (const field of ['spec', 'scorer', 'policy'] as const)
    if (JSON.stringify(plan[field]) !== JSON.stringify(wanted[field]))
      throw fail('STUDY_TAKEN', { id: before.id, field });
  return before.state();
}
