/** The node pack goes into ComfyUI's folder of node packs, is updated, and comes out again. */
import { join } from 'node:path';
import { AssayError, fail, reasonOf } from '../../../../errors/error.ts';
import type { Installed, InstallFlags } from '../../kind.ts';
import { versionNote } from '../link/version.ts';
import { type Pack, readPack } from './pack.ts';
import { placeCopy, placeLink, removeCopy, removeLink } from './place.ts';
import { findPython, hasPackage, installCommand } from './python.ts';
import { isWhole, type State, stateOf } from './state.ts';
import { findTarget, type Target } from './target.ts';

/** What the nodes import beyond ComfyUI's own requirements. */
const NEEDED = 'msgpack';
const RESTART = 'Restart ComfyUI if it runs: it reads node packs only when it starts.';

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

function put(place: string, pack: Pack, state: State, { link = false, force = false }: InstallFlags): string {
  if (isCurrent(state, link)) return `up to date: Assay's nodes ${pack.version} in ${place}`;
  if (!force) refuseLoss(place, state, pack, link);
  if (link) {
    placeLink(place, pack);
    return `linked ${place} to Assay's nodes ${pack.version} in ${pack.folder}`;
  }
  placeCopy(place, pack, state.kind === 'copied' ? state.foreign : []);
  const done = doneText(state, pack);
  return `${done}: Assay's nodes ${pack.version} in ${place}, ${pack.files.size} files`;
}

function remove(place: string, state: State, force: boolean): string {
  if (state.kind === 'absent') return `nothing to remove: Assay's nodes are not in ${place}`;
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
  return `removed: Assay's nodes ${state.version} from ${place}${rest}`;
}

function stateInWords(place: string, pack: Pack, state: State): string[] {
  if (state.kind === 'linked') return [`linked: ${place} to Assay's nodes ${pack.version}`];
  if (state.kind === 'absent') return [`not installed: there is no ${place}`];
  if (state.kind === 'foreign') return [`not installed: ${place} is ${state.what}`];
  const { version, outdated, changed, missing } = state;
  return [
    outdated ? `outdated: ${version} in ${place}, ${pack.version} here` : `installed: ${version} in ${place}`,
    ...(changed.length > 0 ? [`changed: ${listed(changed)}`] : []),
    ...(missing.length > 0 ? [`missing: ${listed(missing)}`] : []),
  ];
}

function versionInWords({ version, home }: Target): string {
  if (version === null) return `ComfyUI's version is unknown: ${home} does not tell it`;
  const note = versionNote(version);
  return note ? `ComfyUI: ${note}` : `ComfyUI ${version}`;
}

function needsInWords({ home }: Target): string {
  const python = findPython(home);
  const found = python ? hasPackage(python, NEEDED) : null;
  if (found) return `${NEEDED} is there, in ${python}`;
  const state = found === false ? 'is missing' : 'is needed, and may be missing';
  const which = python ? '' : ' with the Python that runs ComfyUI';
  return `${NEEDED} ${state}; install it${which}:\n  ${installCommand(python, NEEDED)}`;
}

function act(target: Target, flags: InstallFlags): Installed {
  const place = join(target.customNodes, 'assay');
  const pack = readPack();
  const state = stateOf(place, pack);
  if (flags.uninstall)
    return { lines: [remove(place, state, flags.force ?? false), RESTART], isCurrent: true };
  const around = [versionInWords(target), needsInWords(target)];
  if (!flags.check) return { lines: [put(place, pack, state, flags), ...around, RESTART], isCurrent: true };
  const isGood = state.kind === 'linked' || isCurrent(state, false);
  return { lines: [...stateInWords(place, pack, state), ...around], isCurrent: isGood };
}

/** @throws INSTALL_TARGET, INSTALL_CONFLICT */
export function install(folder: string, flags: InstallFlags): Installed {
  const target = findTarget(folder);
  try {
    return act(target, flags);
  } catch (error) {
    const fromDisk = error instanceof Error && 'syscall' in error;
    if (error instanceof AssayError || !fromDisk) throw error;
    throw fail('INSTALL_TARGET', { path: target.customNodes, reason: reasonOf(error) }, { cause: error });
  }
}
