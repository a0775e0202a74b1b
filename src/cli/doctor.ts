/** `assay doctor`: what runs here, and how to fix what does not. */
import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, totalmem } from 'node:os';
import { styleText } from 'node:util';
import type { Config } from '../config.ts';
import { EXIT, reasonOf, toAssayError } from '../errors.ts';
import type { ModelFolder } from '../reward/manifest.ts';
import { checkFiles } from '../reward/model-files.ts';
import { listProviders } from '../reward/providers.ts';
import type { ScorerFlags } from './flags.ts';
import { catalogOf, configOf } from './open.ts';

type Level = 'ok' | 'note' | 'problem';

interface Finding {
  level: Level;
  what: string;
  /** What to do; for problems and notes. */
  fix?: string;
}

const MARK: Record<Level, [string, 'green' | 'yellow' | 'red']> = {
  ok: ['✓', 'green'],
  note: ['·', 'yellow'],
  problem: ['✗', 'red'],
};

/** Less free space than this fills up within days of recording. */
const LOW_DISK_BYTES = 200e6;

const checkNode = (): Finding => {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 22 || (major === 22 && minor >= 13);
  const what = `Node ${process.versions.node} on ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  return good ? { level: 'ok', what } : { level: 'problem', what, fix: 'Assay needs Node 22.13 or newer.' };
};

const checkProviders = (config: Config): Finding[] =>
  listProviders().map(({ name, available, reason, install }) => {
    if (available) return { level: 'ok', what: `execution provider ${name}` };
    const level = config.providers.includes(name) ? 'problem' : 'note';
    return { level, what: `execution provider ${name}: ${reason}`, fix: install };
  });

async function checkModels(config: Config): Promise<Finding[]> {
  const catalog = catalogOf(config);
  const broken = catalog.broken().map((e): Finding => ({ level: 'problem', what: e.message, fix: e.fix }));
  const whole: Finding[] = [];
  for (const model of catalog.models()) whole.push(await checkModel(model));
  return [...broken, ...whole, await tryDefault(catalog)];
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

async function tryDefault(catalog: ReturnType<typeof catalogOf>): Promise<Finding> {
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

function checkPort({ host, port }: Config): Promise<Finding> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const fix = 'If that is not an Assay daemon already running, choose another with --port.';
      const reason = error.code === 'EADDRINUSE' ? 'is taken' : `cannot be used: ${error.message}`;
      resolve({
        level: error.code === 'EADDRINUSE' ? 'note' : 'problem',
        what: `port ${port} on ${host} ${reason}`,
        fix,
      });
    });
    probe.listen(port, host, () =>
      probe.close(() => resolve({ level: 'ok', what: `port ${port} on ${host} is free` })),
    );
  });
}

function checkDataFolder({ dataDir }: Config): Finding {
  try {
    mkdirSync(dataDir, { recursive: true });
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
      fix: 'Choose another with --data-dir.',
    };
  }
}

function show({ level, what, fix }: Finding): void {
  const [mark, colour] = MARK[level];
  const advice = fix && level !== 'ok' ? `\n    ${fix}` : '';
  process.stdout.write(`${styleText(colour, mark, { stream: process.stdout })} ${what}${advice}\n`);
}

/** Exit code 2 when something needs fixing. */
export async function doctor(flags: ScorerFlags & { port?: number }): Promise<number> {
  const config = configOf(flags);
  const findings = [
    checkNode(),
    ...checkProviders(config),
    ...(await checkModels(config)),
    await checkPort(config),
    checkDataFolder(config),
  ];
  findings.forEach(show);
  const problems = findings.filter((f) => f.level === 'problem').length;
  process.stdout.write(problems > 0 ? `\n${problems} to fix\n` : '\nall good\n');
  return problems > 0 ? EXIT.usage : EXIT.ok;
}
