/** Makes sure that a ComfyUI answers, and says which. */
import { z } from 'zod';
import type { HostInfo } from '../../../../host.ts';
import type { Http } from '../../link/http.ts';
import { versionNote } from './version.ts';

const statsSchema = z.looseObject({
  system: z.looseObject({
    comfyui_version: z.string().nullish().catch(null),
    argv: z.array(z.string()).nullish().catch(null),
  }),
  devices: z.array(z.unknown()),
});

/** @throws HOST_UNKNOWN when something else answers */
export async function describeHost(http: Http, signal: AbortSignal): Promise<HostInfo> {
  const { system } = await http.getJson('/system_stats', statsSchema, signal);
  const version = system.comfyui_version || null;
  return { kind: 'ComfyUI', version, previews: previewsBy(system.argv), notes: notesOn(version) };
}

/** How the host was started tells how it makes previews: not at all, unless it was told to. */
function previewsBy(argv: readonly string[] | null | undefined): string | null {
  if (!argv) return null;
  const at = argv.findIndex((word) => /^--preview-method(=|$)/.test(word));
  return at < 0 ? 'none' : (argv[at]!.split('=')[1] ?? argv[at + 1] ?? 'none');
}

const UNTOLD = 'it does not tell its version';

function notesOn(version: string | null): string[] {
  const note = version === null ? UNTOLD : versionNote(version);
  return note === null ? [] : [note];
}
