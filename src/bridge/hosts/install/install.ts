/** A pack goes into a host's folder of such packs, is updated, and comes out again. */
import { AssayError, fail, reasonOf } from '../../../errors/error.ts';
import type { Installed, InstallFlags } from '../kind.ts';
import { type Pack, readPack } from './pack.ts';
import { placeCopy, placeLink, removeCopy, removeLink } from './place.ts';
import { isWhole, type State, stateOf } from './state.ts';

/** What is installed where. */
export interface Product {
  /** Its folder in python-shim. */
  pack: string;
  /** For people, such as `Assay's nodes`; `plural`: whether it is many. */
  name: string;
  plural: boolean;
  /** The folder that the pack gets. */
  place: string;
  /** What is to be said of the host: its version, what it lacks. */
  around(): string[];
  /** What to do then. */
  restart: string;
}

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).join(', ');
  return paths.length > 5 ? `${shown} and ${paths.length - 5} more` : shown;
}

const conflict = (place: string, reason: string) => fail('INSTALL_CONFLICT', { path: place, reason });

/** @throws INSTALL_CONFLICT when files of the user would be lost */
function refuseLoss(place: string, state: State, pack: Pack, link: boolean): void {
  if (state.kind === 'foreign') throw conflict(place, `it is ${state.what}`);
  if (state.kind !== 'copied') return;
  if (state.changed.length > 0)
    throw conflict(place, `changed since they were installed: ${listed(state.changed)}`);
  const lost = link ? state.foreign : state.foreign.filter((path) => pack.files.has(path));
  if (lost.length > 0) throw conflict(place, `not installed by Assay: ${listed(lost)}`);
}

function isCurrent(state: State, link: boolean): boolean {
  if (state.kind === 'linked') return link;
  return state.kind === 'copied' && !link && !state.outdated && isWhole(state);
}

function doneText(state: State, { version }: Pack): string {
  if (state.kind !== 'copied') return 'installed';
  return state.version === version ? 'reinstalled' : `updated from ${state.version}`;
}

function put({ place, name }: Product, pack: Pack, state: State, flags: InstallFlags): string {
  const { link = false, force = false } = flags;
  if (isCurrent(state, link)) return `up to date: ${name} ${pack.version} in ${place}`;
  if (!force) refuseLoss(place, state, pack, link);
  if (link) {
    placeLink(place, pack);
    return `linked ${place} to ${name} ${pack.version} in ${pack.folder}`;
  }
  placeCopy(place, pack, state.kind === 'copied' ? state.foreign : []);
  const done = doneText(state, pack);
  return `${done}: ${name} ${pack.version} in ${place}, ${pack.files.size} files`;
}

function remove({ place, name, plural }: Product, state: State, force: boolean): string {
  if (state.kind === 'absent') return `nothing to remove: ${name} ${plural ? 'are' : 'is'} not in ${place}`;
  if (state.kind === 'foreign')
    throw conflict(place, `it is ${state.what}; only what was installed is removed, forced or not`);
  if (state.kind === 'linked') {
    removeLink(place);
    return `removed: the link ${place}`;
  }
  if (state.changed.length > 0 && !force)
    throw conflict(place, `changed since they were installed: ${listed(state.changed)}`);
  removeCopy(place, state);
  const rest = state.foreign.length > 0 ? `; left there: ${listed(state.foreign)}` : '';
  return `removed: ${name} ${state.version} from ${place}${rest}`;
}

function stateInWords({ place, name }: Product, pack: Pack, state: State): string[] {
  if (state.kind === 'linked') return [`linked: ${place} to ${name} ${pack.version}`];
  if (state.kind === 'absent') return [`not installed: there is no ${place}`];
  if (state.kind === 'foreign') return [`not installed: ${place} is ${state.what}`];
  const { version, outdated, changed, missing } = state;
  return [
    outdated ? `outdated: ${version} in ${place}, ${pack.version} here` : `installed: ${version} in ${place}`,
    ...(changed.length > 0 ? [`changed: ${listed(changed)}`] : []),
    ...(missing.length > 0 ? [`missing: ${listed(missing)}`] : []),
  ];
}

function act(product: Product, flags: InstallFlags): Installed {
  const pack = readPack(product.pack);
  const state = stateOf(product.place, pack);
  if (flags.uninstall) {
    const done = remove(product, state, flags.force ?? false);
    return { lines: [done, ...(state.kind === 'absent' ? [] : [product.restart])], isCurrent: true };
  }
  const around = product.around();
  if (!flags.check)
    return { lines: [put(product, pack, state, flags), ...around, product.restart], isCurrent: true };
  const isGood = state.kind === 'linked' || isCurrent(state, false);
  return { lines: [...stateInWords(product, pack, state), ...around], isCurrent: isGood };
}

/** @throws INSTALL_TARGET, INSTALL_CONFLICT */
export function install(product: Product, flags: InstallFlags): Installed {
  try {
    return act(product, flags);
  } catch (error) {
    const fromDisk = error instanceof Error && 'syscall' in error;
    if (error instanceof AssayError || !fromDisk) throw error;
    throw fail('INSTALL_TARGET', { path: product.place, reason: reasonOf(error) }, { cause: error });
  }
}
