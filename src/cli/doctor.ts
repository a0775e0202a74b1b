/** `assay doctor`: what runs here, and how to fix what does not. */
import { availableParallelism, totalmem } from 'node:os';
import { styleText } from 'node:util';
import { checkFree } from '../bridge/server/http/listen.ts';
import type { Config } from '../config.ts';
import { toAssayError } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { rosterOf } from '../judges.ts';
import { doubtsOf } from '../loops/policy/policy.ts';
import { tryProviders } from '../reward/graph/providers.ts';
import type { Roster } from '../reward/model/catalog.ts';
import type { ModelFolder } from '../reward/model/manifest.ts';
import { checkFiles } from '../reward/model/model-files.ts';
import { checkHosts } from './doctor/hosts.ts';
import { checkJudges } from './doctor/judges.ts';
import { checkLanguageModels } from './doctor/language-models.ts';
import {
  checkAccess,
  checkDataFolder,
  checkEnvironment,
  checkHistory,
  type Finding,
  type Level,
} from './doctor/surroundings.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf } from './open.ts';

const MARK: Record<Level, [string, 'green' | 'yellow' | 'red']> = {
  ok: ['✓', 'green'],
  note: ['·', 'yellow'],
  problem: ['✗', 'red'],
};

const checkNode = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 22 || (major === 22 && minor >= 13);
  const what = `Node ${process.versions.node} on ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return good ? { level: 'ok', what } : { level: 'problem', what, fix: 'Assay needs Node 22.13 or newer.' };
};

/** Tries them all again: whoever asks has changed something. */
const checkProviders = async (config: Config): Promise<Finding[]> =>
  (await tryProviders(config.dataDir, true)).map(({ name, available, reason, remark, install }) => {
    if (available) return { level: 'ok', what: `execution provider ${name}${remark && `: ${remark}`}` };
    const level = config.providers.includes(name) ? 'problem' : 'note';
    return { level, what: `execution provider ${name}: ${reason}`, fix: install };
  });

async function checkModels(config: Config): Promise<Finding[]> {
  const catalog = rosterOf(config);
  const broken = catalog.broken().map((e): Finding => ({ level: 'problem', what: e.message, fix: e.fix }));
  const whole: Finding[] = [];
  for (const model of catalog.models()) whole.push(await checkModel(model));
  return [...broken, ...whole, await tryDefault(catalog), ...checkPolicy(config, catalog)];
}

async function checkModel(model: ModelFolder): Promise<Finding> {
  const { id, version, files } = model.manifest;
  try {
    await checkFiles(model, Object.keys(files));
    return { level: 'ok', what: `model ${id} ${version}: files are whole` };
  } catch (error) {
    return problem(error);
  }
}

function checkPolicy({ policy, scorer }: Config, catalog: Roster): Finding[] {
  const model = catalog.models().find(({ manifest }) => manifest.id === scorer.split('@')[0]);
  const doubts = model ? doubtsOf(policy, model.manifest.id, model.manifest.aspects) : [];
  return doubts.map((what) => ({ level: 'note', what, fix: 'Correct the policy in the config.' }));
}

async function tryDefault(catalog: Roster): Promise<Finding> {
  try {
    const start = performance.now();
    const scorer = await catalog.open();
    const ms = Math.round(performance.now() - start);
    const what = `default scorer ${scorer.stamp.id} (${scorer.stamp.variant}) runs on ${scorer.provider}, ready in ${ms} ms`;
    return scorer.notes.length > 0
      ? { level: 'problem', what, fix: scorer.notes.join(' ') }
      : { level: 'ok', what };
  } catch (error) {
    return problem(error);
  } finally {
    await catalog.close();
  }
}

function problem(thrown: unknown): Finding {
  const { message, fix } = toAssayError(thrown);
  return { level: 'problem', what: message, fix };
}

/** Opens the daemon's own door for a moment. */
async function checkDoor(config: Config): Promise<Finding> {
  const { host, port, socket } = config;
  const what = socket === undefined ? `port ${port} on ${host}` : `unix socket ${socket}`;
  try {
    await checkFree(config);
    return { level: 'ok', what: `${what} is free` };
  } catch (error) {
    const { code, message, fix } = toAssayError(error);
    const taken = code === 'PORT_IN_USE' || code === 'SOCKET_IN_USE';
    return taken
      ? { level: 'note', what: `${what} is taken`, fix: TAKEN }
      : { level: 'problem', what: message, fix };
  }
}

const TAKEN = 'If that is not an Assay daemon already running, choose another with --port or --socket.';

function show({ level, what, fix }: Finding): void {
  const [mark, colour] = MARK[level];
  const advice = fix && level !== 'ok' ? `\n    ${fix}` : '';
  process.stdout.write(`${styleText(colour, mark, { stream: process.stdout })} ${what}${advice}\n`);
}

/** Exit code 2 when something needs fixing. */
export async function doctor(flags: ScorerFlags & { port?: number; socket?: string }): Promise<number> {
  const config = configOf(flags);
  const findings = [
    checkNode(),
    ...(await checkProviders(config)),
    ...(await checkModels(config)),
    await checkDoor(config),
    ...(await checkHosts(config, flags)),
    ...(await checkJudges(config)),
    ...(await checkLanguageModels(config)),
    checkAccess(config),
    checkDataFolder(config),
    checkHistory(config),
    ...checkEnvironment(config),
  ];
  findings.forEach(show);
  const problems = findings.filter((f) => f.level === 'problem').length;
  process.stdout.write(problems > 0 ? `\n${problems} to fix\n` : '\nall good\n');
  return problems > 0 ? EXIT.usage : EXIT.ok;
}
