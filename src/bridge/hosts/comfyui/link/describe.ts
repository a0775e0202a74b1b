/** Makes sure that a ComfyUI answers, and says which. */
import { z } from 'zod';
import type { HostInfo } from '../../../../host.ts';
import type { Http } from '../../link/http.ts';
import { versionNote } from './version.ts';

const statsSchema = z.looseObject({
  system: z.looseObject({ comfyui_version: z.string().nullish().catch(null) }),
  devices: z.array(z.unknown()),
});

/** @throws HOST_UNKNOWN when something else answers */
export async function describeHost(http: Http, signal: AbortSignal): Promise<HostInfo> {
  const { system } = await http.getJson('/system_stats', statsSchema, signal);
  const version = system.comfyui_version || null;
  return { kind: 'ComfyUI', version, notes: notesOn(version) };
}

const UNTOLD = 'it does not tell its version';

function notesOn(version: string | null): string[] {
  const note = version === null ? UNTOLD : versionNote(version);
  return note === null ? [] : [note];
}
