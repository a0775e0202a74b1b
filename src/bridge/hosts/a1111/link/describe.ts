/** Makes sure that a host of this family answers, and says which, and what it can do. */
import { z } from 'zod';
import type { HostInfo } from '../../../../host.ts';
import { type Http, textOf } from '../../link/http.ts';
import type { Fork } from './fork.ts';

/** Those that were tried. */
const TRIED = { Forge: 'f2.0.1v1.10.1', 'SD.Next': '2026-07-23', AUTOMATIC1111: null };

/** SD.Next: the day of its last change, and the commit. */
const dayAndCommit = z.looseObject({
  updated: z.string().optional().catch(undefined),
  hash: z.string().optional().catch(undefined),
  commit: z.string().optional().catch(undefined),
});
/** At the foot of its page, which it describes in one piece: `version: <a href="…">v1.10.1</a>`. */
const FOOTER = /version:\s*(?:&#160;|&nbsp;)*\s*<a href=[^>]*>([^<]{1,100})<\/a>/;
const MOST_BYTES = 32 * 2 ** 20;

/** Of what is good to know. */
const VERSION_MS = 5000;

/** Routes that are used where they are there. */
const USED = [
  ...['txt2img', 'img2img', 'progress', 'interrupt', 'options', 'cmd-flags'].map(
    (name) => `/sdapi/v1/${name}`,
  ),
  '/internal/progress',
  '/internal/pending-tasks',
];

async function versionOf(http: Http, { name, routes }: Fork, outer: AbortSignal): Promise<string | null> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(VERSION_MS)]);
  try {
    if (name === 'SD.Next') {
      const { updated, hash, commit } = await http.getJson('/sdapi/v1/version', dayAndCommit, signal);
      return [updated, hash ?? commit].filter(Boolean).join(' ') || null;
    }
    if (!routes?.has('/internal/ping')) return null;
    const page = textOf(await http.get('/config', MOST_BYTES, signal)).replaceAll('\\"', '"');
    return FOOTER.exec(page)?.[1]?.trim() || null;
  } catch {
    outer.throwIfAborted();
    return null;
  }
}

const previewOptions = z.looseObject({
  live_previews_enable: z.boolean().catch(true),
  show_progress_type: z.string().nullish().catch(null),
});

/** How it makes previews, by its own options; null where it does not tell. */
async function previewsBy(http: Http, { routes }: Fork, signal: AbortSignal): Promise<string | null> {
  const path = '/sdapi/v1/options';
  if (routes && !routes.has(path)) return null;
  try {
    const options = await http.getJson(path, previewOptions, signal);
    return options.live_previews_enable ? (options.show_progress_type ?? null) : 'none';
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

function notesOn({ name, routes, hasTasks }: Fork, version: string | null): string[] {
  const tried = TRIED[name];
  return [
    version === null ? 'it does not tell its version' : '',
    version !== null && tried !== null && !version.startsWith(tried)
      ? `version ${version} is not ${tried}, which was tried`
      : '',
    routes === null
      ? 'it does not describe its routes (/openapi.json): fields of requests are not checked'
      : '',
    hasTasks
      ? ''
      : 'it does not tell whose job runs: a run that is no longer wanted is interrupted only if it began on an idle host',
  ].filter((note) => note !== '');
}

/** @throws HOST_UNKNOWN when something else answers; HOST_API_OFF when its API is not switched on */
export async function describeHost(
  http: Http,
  find: (signal: AbortSignal) => Promise<Fork>,
  signal: AbortSignal,
): Promise<HostInfo> {
  const fork = await find(signal);
  const version = await versionOf(http, fork, signal);
  const routes = USED.filter((path) => fork.routes?.has(path));
  const previews = await previewsBy(http, fork, signal);
  return { kind: fork.name, version, previews, notes: notesOn(fork, version), routes };
}
