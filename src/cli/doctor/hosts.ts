/** What `assay doctor` says of the hosts: which answers where, and what it can do. */
import type { HostKind } from '../../bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import type { Config } from '../../config.ts';
import { toAssayError } from '../../errors/error.ts';
import type { HostInfo } from '../../host.ts';
import { isNamed, reachedBy } from '../watch/options.ts';
import type { Finding } from './surroundings.ts';

/** A host on this machine answers sooner, each of its routes. */
const ANSWER_MS = 5000;

function found(kind: HostInfo, url: string): Finding[] {
  const routes = kind.routes ? `; routes: ${kind.routes.join(', ')}` : '';
  const what = `${kind.kind} ${kind.version ?? 'of unknown version'} at ${url}${routes}`;
  return [
    { level: 'ok', what },
    ...kind.notes.map((note): Finding => ({ level: 'note', what: `${kind.kind}: ${note}` })),
  ];
}

/** What nobody asked for may be absent, or be something else. */
const isMeant = (kind: HostKind, { url, watch }: { url: string; watch: boolean }, flags: object): boolean =>
  watch || url !== kind.url || isNamed(kind, flags);

async function checkHost(kind: HostKind, config: Config, flags: object): Promise<Finding[]> {
  const configured = config.hosts[kind.id]!;
  const settings = { ...configured, ...reachedBy(kind, configured, flags) };
  try {
    const host = await kind.create({ settings, limits: config.limits, tuning: { requestMs: ANSWER_MS } });
    try {
      return found(await host.describe(AbortSignal.timeout(3 * ANSWER_MS)), host.url);
    } finally {
      await host.close();
    }
  } catch (thrown) {
    if (!isMeant(kind, settings, flags)) return [];
    const { message, fix } = toAssayError(thrown);
    return [{ level: 'note', what: `${kind.title}: ${message}`, fix }];
  }
}

/** Hosts that answer where they are by default, and those that the config or the flags name. @throws USAGE, FILE_UNREADABLE */
export const checkHosts = async (config: Config, flags: object): Promise<Finding[]> =>
  (await Promise.all(HOST_KINDS.map((kind) => checkHost(kind, config, flags)))).flat();
