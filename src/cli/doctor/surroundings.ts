/** What `assay doctor` says of the environment, of who may ask the daemon, and of what it keeps. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopback } from '../../bridge/server/http/access.ts';
import { type Config, ignoredVariables } from '../../config.ts';
import { reasonOf } from '../../errors/error.ts';
import { ERRORS } from '../../errors/table.ts';
import { createFolder } from '../../lib/folder.ts';
import { lookAt } from '../../store/file/inspect.ts';

export type Level = 'ok' | 'note' | 'problem';

export interface Finding {
  level: Level;
  what: string;
  /** What to do; for problems and notes. */
  fix?: string;
}

/** Less free space than this fills up within days of recording. */
const LOW_DISK_BYTES = 200e6;

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export function checkEnvironment(config: Config): Finding[] {
  const notes = config.notes.map(
    (what): Finding => ({ level: 'note', what, fix: 'Nothing else depends on it.' }),
  );
  const ignored = ignoredVariables(process.env);
  const injected: Finding = {
    level: 'ok',
    what: `${ignored.length} variables that an orchestrator sets for a service are ignored: ${ignored.join(', ')}`,
  };
  const quiet = process.env.ORT_DISABLE_TELEMETRY === '1';
  const telemetry: Finding = quiet
    ? { level: 'ok', what: 'telemetry of the dependencies is off' }
    : { level: 'problem', what: 'telemetry of the dependencies is on', fix: 'Set ORT_DISABLE_TELEMETRY=1.' };
  return [telemetry, ...notes, ...(ignored.length > 0 ? [injected] : [])];
}

export function checkAccess({ host, token, tokenFile, socket }: Config): Finding {
  if (socket !== undefined) return { level: 'ok', what: 'only this user can open the unix socket' };
  if (token !== undefined) {
    const origin = tokenFile ? ` (from ${tokenFile})` : '';
    return { level: 'ok', what: `clients need a token${origin}` };
  }
  if (!isLoopback(host)) {
    const { fix } = ERRORS.TOKEN_REQUIRED;
    return { level: 'problem', what: `listening on ${host}, beyond this machine, needs a token`, fix };
  }
  return {
    level: 'note',
    what: 'no token: every user of this machine can use the daemon and read its history',
    fix: 'Where others work on this machine, give it a token with --token-file, or use --socket (docs/deploy.md).',
  };
}

export function checkDataFolder({ dataDir }: Config): Finding {
  try {
    createFolder(dataDir, 0o700);
    accessSync(dataDir, constants.W_OK);
    const { bavail, bsize } = statfsSync(dataDir);
    const free = bavail * bsize;
    const what = `data folder ${dataDir}, ${(free / 1e9).toFixed(1)} GB free`;
    return free < LOW_DISK_BYTES
      ? { level: 'problem', what, fix: 'Free some disk space, or move it with --data-dir.' }
      : { level: 'ok', what };
  } catch (error) {
    return {
      level: 'problem',
      what: `data folder ${dataDir}: ${reasonOf(error)}`,
      fix: 'Choose another with --data-dir, or ASSAY_DATA_DIR.',
    };
  }
}

function retentionText({ historyMaxAgeDays, historyMaxBytes }: Config): string {
  const bounds = [
    historyMaxAgeDays !== undefined && `older than ${historyMaxAgeDays} days`,
    historyMaxBytes !== undefined && `beyond ${megabytes(historyMaxBytes)}`,
  ].filter(Boolean);
  return bounds.length > 0
    ? `deleted when ${bounds.join(', or ')}`
    : 'kept for ever (historyMaxAgeDays, historyMaxBytes)';
}

export function checkHistory(config: Config): Finding {
  if (!config.history) return { level: 'ok', what: 'history: off' };
  const found = lookAt(join(config.dataDir, 'history.db'));
  if (found && 'fault' in found)
    return { level: 'problem', what: `history: ${found.fault.reason}`, fix: 'docs/deploy.md, The history.' };
  const size = found ? `${found.verdicts} verdicts, ${megabytes(found.bytes)}` : 'nothing yet';
  return { level: 'ok', what: `history: ${size}; ${retentionText(config)}` };
}
