/** Makes sure that a ComfyUI answers, and says which. */
import { z } from 'zod';
import type { HostInfo } from '../../host.ts';
import type { Http } from './http.ts';

const statsSchema = z.looseObject({
  system: z.looseObject({ comfyui_version: z.string().nullish().catch(null) }),
  devices: z.array(z.unknown()),
});

/** The newest version that the tests were run against. */
const TRIED = '0.3.64';

/** @throws HOST_UNKNOWN when something else answers */
export async function describeHost(http: Http, signal: AbortSignal): Promise<HostInfo> {
  const { system } = await http.getJson('/system_stats', statsSchema, signal);
  const version = system.comfyui_version || null;
  return { kind: 'ComfyUI', version, notes: notesOn(version) };
}

function notesOn(version: string | null): string[] {
  if (version === null) return ['it does not tell its version'];
  const order = compare(version, TRIED);
  if (order === undefined) return [`version "${version}" is not of the known form; ${TRIED} was tried`];
  return order > 0 ? [`version ${version} is newer than ${TRIED}, the newest that was tried`] : [];
}

/** Above 0 when `a` is newer; undefined when one of them is no version number. */
function compare(a: string, b: string): number | undefined {
  const [x, y] = [a, b].map((text) => /^v?(\d+)\.(\d+)\.(\d+)/.exec(text)?.slice(1).map(Number));
  if (!x || !y) return undefined;
  const at = x.findIndex((part, i) => part !== y[i]);
  return at < 0 ? 0 : x[at]! - y[at]!;
}
