/** Which host a command is about, and which of its images are judged: by its flags and the config. */
import { type Command, Option } from 'commander';
import type { HostKind } from '../../bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import { type HostSettings, headersSchema } from '../../bridge/hosts/settings.ts';
import type { Config } from '../../config.ts';
import { readNamedFile } from '../../lib/plain-file.ts';
import { usage } from '../input/flags.ts';
import { collect } from '../input/options.ts';

/** Flags that take the place of what the config says of any host. */
export interface ChoiceFlags {
  outputDir?: string;
  onlyFolder?: string[];
  onlyPrefix?: string[];
  onlyNode?: string[];
  notFolder?: string[];
  notPrefix?: string[];
  notNode?: string[];
  judgeMaps?: boolean;
}

/** The flags that name a host of a kind. */
export const hostFlags = ({ id, title, url }: HostKind) => ({
  address: new Option(`--${id} <url>`, `address of ${title} (default ${url})`),
  header: new Option(
    `--${id}-header <line>`,
    `header for every request to ${title}, "Name: value" or @FILE`,
  ).argParser(collect),
});

/** The command with the flags of every kind of host. */
export function withHosts(command: Command): Command {
  for (const kind of HOST_KINDS)
    for (const option of Object.values(hostFlags(kind))) command.addOption(option);
  return command;
}

/** What was given for a flag that the table of hosts made. */
const given = <T>(flags: object, option: Option): T | undefined =>
  (flags as Record<string, T | undefined>)[option.attributeName()];

/** Whether the flags name the address of a host of this kind, or what is sent to it. */
export const isNamed = (kind: HostKind, flags: object): boolean => namedBy(kind, flags) !== undefined;

const namedBy = (kind: HostKind, flags: object): Option | undefined =>
  Object.values(hostFlags(kind)).find((option) => given(flags, option) !== undefined);

/** The kind that the flags name; when they name none, the one given, or the first. @throws USAGE when they name several */
function kindOf(flags: object, otherwise: HostKind = HOST_KINDS[0]!): HostKind {
  const [first, second] = HOST_KINDS.flatMap((kind) => {
    const flag = namedBy(kind, flags);
    return flag ? [{ kind, flag }] : [];
  });
  if (second) throw usage(`${first!.flag.long} and ${second.flag.long} are of two hosts: name one at a time`);
  return first?.kind ?? otherwise;
}

/** A flag takes the place of the list in the config. */
const namesOf = (
  { folders, prefixes, nodes }: HostSettings['only'],
  flags: ChoiceFlags,
  how: 'only' | 'not',
): HostSettings['only'] => ({
  folders: flags[`${how}Folder` as const] ?? folders,
  prefixes: flags[`${how}Prefix` as const] ?? prefixes,
  nodes: flags[`${how}Node` as const] ?? nodes,
});

/**
 * The host that is meant, and its settings: those of the config, but for what the flags say.
 *
 * @param before the one that was meant before: it is meant where the flags name none
 * @throws USAGE, FILE_UNREADABLE
 */
export function hostOf(
  { hosts }: Config,
  flags: ChoiceFlags,
  before?: { kind: string; url: string },
): { kind: HostKind; settings: HostSettings } {
  const kind = kindOf(
    flags,
    HOST_KINDS.find(({ id }) => id === before?.kind),
  );
  const { outputDir, only, not, judgeMaps, ...rest } = hosts[kind.id]!;
  const settings = {
    ...rest,
    ...reachedBy(kind, hosts[kind.id]!, flags, before),
    outputDir: flags.outputDir ?? outputDir,
    only: namesOf(only, flags, 'only'),
    not: namesOf(not, flags, 'not'),
    judgeMaps: flags.judgeMaps ?? judgeMaps,
  };
  return { kind, settings };
}

/** Where a host of the kind is, and what is sent with every request. @throws USAGE, FILE_UNREADABLE */
export function reachedBy(
  kind: HostKind,
  { url, headers }: Pick<HostSettings, 'url' | 'headers'>,
  flags: object,
  before?: { kind: string; url: string },
): Pick<HostSettings, 'url' | 'headers'> {
  const { address, header } = hostFlags(kind);
  return {
    url: given<string>(flags, address) ?? (before?.kind === kind.id ? before.url : url),
    headers: { ...headers, ...headersOf(header, given(flags, header)) },
  };
}

/** `Name: value`, or the lines of a file, which no list of processes shows. */
function linesOf(flag: string): string[] {
  if (!flag.startsWith('@')) return [flag];
  return readNamedFile(flag.slice(1))
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
}

/** @throws USAGE, without the value, which is a secret; FILE_NOT_FOUND, FILE_UNREADABLE */
function headersOf({ long }: Option, lines: string[] = []): Record<string, string> {
  const pairs = lines.flatMap(linesOf).map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim()];
  });
  const parsed = headersSchema.safeParse(Object.fromEntries(pairs));
  if (!parsed.success) throw usage(`${long} takes "Name: value", or @FILE with such lines`);
  return parsed.data;
}
