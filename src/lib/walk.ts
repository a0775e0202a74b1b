/** Files below a folder. Links are followed, but no folder is entered twice, by whatever name. */
import { type Dirent, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { reasonOf } from '../errors/error.ts';

export interface FoundFile {
  /** As the folder was named, and what lies below it. */
  path: string;
  /** By which the same file is known under another name. */
  real: string;
  /** Whether the name itself is a link. */
  isLink: boolean;
}

export interface Unreadable {
  path: string;
  reason: string;
}

export interface WalkOptions {
  /** Real paths of folders that were entered already; those of this walk are added. */
  entered?: Set<string>;
  /** Real paths of folders that are left out. */
  except?: ReadonlySet<string>;
  /** How far down: 1 stays in the folder itself. */
  depth?: number;
  onUnreadable?: (folder: Unreadable) => void;
  /** Why a folder below the first is left out, with all that is in it. */
  leaves?: (folder: string) => LeftOut | undefined;
  /** Told of each folder below the first. */
  onFolder?: (path: string) => void;
  /** Told of each file and folder that is left out. */
  onLeftOut?: (path: string, why: LeftOut) => void;
}

/**
 * Its name begins with a dot; it is a link to a folder that it lies in; it is a pipe, a socket or a device; it holds
 * what was rejected before; it lies where whoever asks may not look.
 */
export type LeftOut = 'hidden' | 'link loop' | 'pipe or device' | 'reject bin' | 'elsewhere';

type Kind = 'file' | 'folder' | LeftOut;

/** A link that leads nowhere counts as a file: reading it will say so. */
function kindOf(path: string, entry: Dirent): Kind {
  if (entry.name.startsWith('.')) return 'hidden';
  if (!entry.isSymbolicLink())
    return entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'pipe or device';
  try {
    const stat = statSync(path);
    return stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'pipe or device';
  } catch {
    return 'file';
  }
}

function entriesOf(folder: string, { onUnreadable }: WalkOptions): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    onUnreadable?.({ path: folder, reason: reasonOf(error) });
    return [];
  }
}

function realOf(folder: string, { onUnreadable }: WalkOptions): string | undefined {
  try {
    return realpathSync(folder);
  } catch (error) {
    onUnreadable?.({ path: folder, reason: reasonOf(error) });
    return undefined;
  }
}

/** Itself for a link that leads nowhere. */
function targetOf(link: string): string {
  try {
    return realpathSync(link);
  } catch {
    return link;
  }
}

/** A folder to enter, and how far down its files may lie. */
interface Stage {
  path: string;
  depth: number;
}

/** A link to a folder that it lies in: what is there was not asked for, or is found without it. */
function isLoop(link: string, folder: string, options: WalkOptions): boolean {
  const target = realOf(link, options);
  if (target === undefined || !`${folder}${sep}`.startsWith(target.endsWith(sep) ? target : target + sep))
    return false;
  options.onLeftOut?.(link, 'link loop');
  return true;
}

type Walking = WalkOptions & { entered: Set<string> };

/** Links to folders wait until all others are done, so that a file goes by the name of its own folder. */
function* descend({ path: folder, depth }: Stage, options: Walking, links: Stage[]): Generator<FoundFile> {
  const real = realOf(folder, options);
  if (real === undefined || options.entered.has(real) || options.except?.has(real)) return;
  options.entered.add(real);
  for (const entry of entriesOf(folder, options)) {
    const path = join(folder, entry.name);
    const kind = kindOf(path, entry);
    const isLink = entry.isSymbolicLink();
    const own = join(real, entry.name);
    if (kind === 'file') yield { path, real: isLink ? targetOf(own) : own, isLink };
    else if (kind !== 'folder') options.onLeftOut?.(path, kind);
    else yield* enter({ path, depth: depth - 1 }, isLink ? real : null, options, links);
  }
}

/** @param linkedFrom the real folder that holds it, when it is a link */
function* enter(
  below: Stage,
  linkedFrom: string | null,
  options: Walking,
  links: Stage[],
): Generator<FoundFile> {
  const why = options.leaves?.(below.path);
  if (why) return options.onLeftOut?.(below.path, why);
  options.onFolder?.(below.path);
  if (below.depth <= 0) return;
  if (linkedFrom === null) yield* descend(below, options, links);
  else if (!isLoop(below.path, linkedFrom, options)) links.push(below);
}

/** Yields the files below folders. */
export function* walk(folders: readonly string[], options: WalkOptions = {}): Generator<FoundFile> {
  const { entered = new Set<string>(), depth = Number.POSITIVE_INFINITY } = options;
  const stages: Stage[] = folders.map((path) => ({ path, depth }));
  for (let next = stages.shift(); next; next = stages.shift())
    yield* descend(next, { ...options, entered }, stages);
}
