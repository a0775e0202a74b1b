/** What `assay doctor` says of the hosts: which answers where, and what it can do. */
import type { HostKind } from '../../bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import type { Config } from '../../config.ts';
import { toAssayError } from '../../errors/error.ts';
import type { HostInfo } from '../../host.ts';
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
const isMeant = (kind: HostKind, { url, watch }: { url: string; watch: boolean }): boolean =>
  watch || url !== kind.url;

async function checkHost(kind: HostKind, config: Config): Promise<Finding[]> {
  const settings = config.hosts[kind.id]!;
  try {
    const host = await kind.create({ settings, limits: config.limits, tuning: { requestMs: ANSWER_MS } });
    try {
      return found(await host.describe(AbortSignal.timeout(3 * ANSWER_MS)), host.url);
    } finally {
      await host.close();
    }
  } catch (thrown) {
    if (!isMeant(kind, settings)) return [];
    const { message, fix } = toAssayError(thrown);
    return [{ level: 'note', what: `${kind.title}: ${message}`, fix }];
  }
}

/** Hosts that answer where they are by default, and those that the config names. */
export const checkHosts = async (config: Config): Promise<Finding[]> =>
  (await Promise.all(HOST_KINDS.map((kind) => checkHost(kind, config)))).flat();
