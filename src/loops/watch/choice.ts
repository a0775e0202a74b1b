/** Which images are judged: by folder, name and node, and pictures rather than maps. Pure. */
import type { HostFile, RunImage } from '../../host.ts';

/** Texts in which `*` and `?` stand for anything, matched without regard to case. */
export interface Names {
  folders: readonly string[];
  prefixes: readonly string[];
  nodes: readonly string[];
}

export interface Choice {
  /** Each list that is not empty must name the image. */
  only: Names;
  /** No list may name it. */
  not: Names;
  /** Whether masks and other maps are judged. */
  judgeMaps: boolean;
}

/** Why an image is left alone, for people; null when it is judged. `image` is null when a folder alone told of it. */
export type LeaveReason = (file: HostFile, image: RunImage | null) => string | null;

type Matcher = (text: string) => boolean;

/** `end`: what may follow. */
const matcher = (glob: string, end: string): RegExp => {
  const parts = glob.split(/(\*+|\?)/).map((part) => {
    if (part.startsWith('*')) return '.*';
    return part === '?' ? '.' : part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}${end}$`, 'isu');
};

const anyOf = (globs: readonly string[], end: string): Matcher => {
  const all = globs.map((glob) => matcher(glob, end));
  return (text) => all.some((one) => one.test(text));
};

type Kind = keyof Names;
const KINDS: readonly Kind[] = ['folders', 'prefixes', 'nodes'];
const WORD: Record<Kind, string> = { folders: 'folder', prefixes: 'name', nodes: 'node' };

type Matchers = Record<Kind, (file: HostFile, image: RunImage | null) => boolean>;

const trimmed = (folder: string): string => folder.replace(/\\/g, '/').replace(/^(\.?\/)+|\/+$/g, '');

function matchersOf({ folders, prefixes, nodes }: Names): Matchers {
  const inFolder = anyOf(folders.map(trimmed), '(/.*)?');
  // With a slash it is the beginning of the whole name, as SaveImage takes it.
  const [whole, bare] = [prefixes.filter((p) => p.includes('/')), prefixes.filter((p) => !p.includes('/'))];
  const [wholeBegins, nameBegins] = [anyOf(whole.map(trimmed), '.*'), anyOf(bare, '.*')];
  const isNode = anyOf(nodes, '');
  return {
    folders: ({ subfolder }) => inFolder(trimmed(subfolder)),
    prefixes: ({ subfolder, filename }) =>
      nameBegins(filename) || wholeBegins([trimmed(subfolder), filename].filter(Boolean).join('/')),
    nodes(_, image) {
      if (!image) return false;
      const { type, title } = image.maker;
      return [image.node, type, title].some((name) => name !== null && isNode(name));
    },
  };
}

export function leaveReason({ only, not, judgeMaps }: Choice): LeaveReason {
  const [chosen, left] = [matchersOf(only), matchersOf(not)];
  return (file, image) => {
    const missed = KINDS.find((kind) => only[kind].length > 0 && !chosen[kind](file, image));
    if (missed === 'nodes' && !image) return 'its node is not known';
    if (missed) return `its ${WORD[missed]} is not among those to judge`;
    const named = KINDS.find((kind) => left[kind](file, image));
    if (named) return `its ${WORD[named]} is left out`;
    // Who names the node of a map wants it judged.
    return judgeMaps || chosen.nodes(file, image) ? null : (image?.maker.map ?? null);
  };
}
