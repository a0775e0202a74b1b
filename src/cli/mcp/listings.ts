/** What paths led to, kept for the calls that go on: a folder that changes meanwhile would give each image another place. */

import type { Folders } from './folders.ts';
import { type FoundImages, findImages } from './found.ts';

/** Listings that are gone on with at a time. */
const MOST_KEPT = 4;

export class Listings {
  readonly #folders: Folders;
  readonly #kept = new Map<string, FoundImages>();

  constructor(folders: Folders) {
    this.#folders = folders;
  }

  /** @param isContinued whether to go on with what was found before, where it is still known */
  async of(paths: readonly string[], isContinued: boolean): Promise<FoundImages> {
    const key = JSON.stringify(paths);
    const before = this.#kept.get(key);
    if (isContinued && before) return before;
    const found = await findImages(paths, this.#folders);
    this.#kept.delete(key);
    this.#kept.set(key, found);
    for (const old of [...this.#kept.keys()].slice(0, -MOST_KEPT)) this.#kept.delete(old);
    return found;
  }
}
