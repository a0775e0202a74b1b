/** `assay models`: the scorers that are installed. */
import { existsSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { fail, reasonOf } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { rosterOf, scorersOf } from '../judges.ts';
import { createFolder } from '../lib/folder.ts';
import type { Placement } from '../reward/graph/placement.ts';
import { explore, type ProviderStatus, tryProviders } from '../reward/graph/providers.ts';
import { gpuMemoryMb } from '../reward/graph/vram.ts';
import { type Catalog, catalogOf, importedModels, type Roster } from '../reward/model/catalog.ts';
import { checkGolden } from '../reward/model/golden.ts';
import { type Manifest, type ModelFolder, readManifest, refOf } from '../reward/model/manifest.ts';
import { checkFiles } from '../reward/model/model-files.ts';
import { placementsOf } from '../reward/model/placements.ts';
import { openScorer, type Scorer } from '../reward/scorer.ts';
import type { RefusedScorer, ScorerInfo } from '../types/scorer.ts';
import type { ScorerFlags } from './input/flags.ts';
import { configOf } from './open.ts';
import { complain } from './terminal/complaint.ts';
import { type Column, table } from './terminal/table.ts';
import { printable } from './terminal/verdicts.ts';

const print = (text: string): void => void process.stdout.write(text);
const printJson = (value: unknown): void => print(`${JSON.stringify(value, null, 2)}\n`);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/** The shortest name that means this scorer. */
const nameOf = (catalog: Roster, scorer: Pick<Manifest, 'id' | 'version'>): string =>
  catalog.find(scorer.id).manifest.version === scorer.version ? scorer.id : refOf(scorer);

const columns = (catalog: Roster): Column<ScorerInfo>[] => [
  { title: 'scorer', value: (s) => nameOf(catalog, s) + (s.default ? ' *' : '') },
  { title: 'version', value: (s) => s.version },
  { title: 'predicts', value: (s) => s.aspects.join(', ') },
  { title: 'variant', value: (s) => s.variant },
  { title: 'runs on', value: (s) => s.provider },
  { title: 'licence', value: (s) => s.license },
  { title: 'folder', value: (s) => s.folder, flexible: true },
];

const REFUSED: Column<RefusedScorer>[] = [
  { title: 'refused', value: ({ id }) => printable(id ?? '') },
  { title: 'why', value: ({ error }) => error.code },
  { title: 'folder', value: ({ folder }) => printable(folder), flexible: true },
];

export async function listModels(flags: ScorerFlags & { json?: boolean }): Promise<number> {
  const config = configOf(flags);
  await explore(config.providers, config.dataDir);
  const catalog = rosterOf(config);
  const scorers = catalog.list();
  const refused = catalog.refused();
  if (flags.json) printJson([...scorers, ...refused]);
  else {
    print(`${table(scorers, columns(catalog), process.stdout)}\n* used when a request names no scorer\n`);
    if (refused.length > 0) print(`\n${table(refused, REFUSED, process.stdout)}\n`);
  }
  for (const scorer of scorers) {
    if (scorer.problem !== null) process.stderr.write(`${scorer.problem}\n`);
    for (const note of scorer.notes) process.stderr.write(`${refOf(scorer)}: ${note}\n`);
  }
  for (const error of catalog.broken()) complain(error);
  return catalog.broken().length > 0 ? EXIT.someFailed : EXIT.ok;
}

/** What each graph takes, and on which provider it runs when that is not the scorer's. */
function memoryLines({ graphs, provider, gpuMemoryMb: gpuMb }: LoadedInfo): string[] {
  const loaded = graphs.filter((graph) => graph.loaded);
  const parts = loaded.map((graph) => {
    const where = graph.provider === provider ? '' : ` on ${graph.provider}`;
    return `${graph.name} ${graph.memoryMb} MB${where}`;
  });
  if (gpuMb !== null) parts.push(`GPU ${gpuMb} MB in all`);
  return parts.length > 0 ? [`memory     ${parts.join(', ')}`] : [];
}

/** A scorer that was loaded to describe it. */
type LoadedInfo = ScorerInfo & {
  gpuMemoryMb: number | null;
  providers: ProviderStatus[];
  placements: Placement[];
};

/** As wide as the names before the lines. */
const BLANK = ' '.repeat(11);

function placementLine({ graph, provider, nodes, onCpu, operators }: Placement, i: number): string {
  const left = onCpu === 0 ? 'none' : `${onCpu} (${operators.join(', ')})`;
  return `${i === 0 ? 'on the CPU ' : BLANK}${left} of the ${nodes} nodes of ${graph} with ${provider}`;
}

function describe(info: LoadedInfo, { manifest }: ModelFolder, aspects: string[]): string {
  const lines = [
    `${info.id} ${info.version}: ${info.title}`,
    manifest.description,
    '',
    `predicts   ${aspects.join('; ')}`,
    `licence    ${info.license} (weights), source: ${manifest.source}`,
    `runs on    ${info.provider}, variant ${info.variant}${info.loaded ? ', loads and runs' : ''}`,
    ...[...info.providerNotes, ...info.notes].map((note) => `           ${note}`),
    ...memoryLines(info),
    ...info.providers.map(({ name, available, reason, remark }, i) => {
      const state = available ? `yes${remark && ` (${remark})`}` : `no (${reason})`;
      return `${i === 0 ? 'providers  ' : BLANK}${name}: ${state}`;
    }),
    ...info.placements.map(placementLine),
    `folder     ${info.folder}`,
    ...Object.entries(manifest.files).map(
      ([name, f]) => `  ${f.sha256.slice(0, 12)}  ${megabytes(f.bytes).padStart(8)}  ${name}`,
    ),
    `read more  ${join(info.folder, manifest.card)}`,
  ];
  return `${lines.join('\n')}\n`;
}

const aspectWords = ({ manifest }: ModelFolder): string[] =>
  Object.entries(manifest.aspects).map(([name, aspect]) => {
    if (!aspect) return `${name}: not predicted`;
    return `${name} ${aspect.range.join(' to ')}${aspect.needsPrompt ? ' (needs the prompt)' : ''}`;
  });

/** Of a model elsewhere: nothing is asked of it. */
async function elsewhereInfo(
  info: ScorerInfo,
  roster: Roster,
  { json }: { json?: boolean },
): Promise<number> {
  const { fault: problem, notes } = await roster.open(info.id);
  await roster.close();
  if (json) printJson({ ...info, problem, notes });
  else {
    const lines = [
      `${info.id} ${info.version}: ${printable(info.title)}`,
      `predicts   ${info.aspects.join(', ')} (1 to 5)`,
      ...notes.map((note) => `           ${note}`),
      `calibrated in ${info.folder}`,
    ];
    print(`${lines.join('\n')}\n`);
  }
  return EXIT.ok;
}

/** Loads the scorer too, so that what is printed of its provider is what happens. */
export async function modelInfo(name: string, flags: ScorerFlags & { json?: boolean }): Promise<number> {
  const config = configOf(flags);
  const catalog = scorersOf(config);
  const roster = rosterOf(config);
  const elsewhere = roster.list().find(({ id, backend }) => backend === 'chat' && id === name.split('@')[0]);
  if (elsewhere) return elsewhereInfo(elsewhere, roster, flags);
  const model = catalog.find(name);
  try {
    // Nobody is asked for it: a scorer whose language model is not named yet is shown, too.
    if (model.manifest.language)
      return await withScorer(model, flags, (scorer) => tellInfo(scorer, model, catalog, flags));
    return await tellInfo(await catalog.open(name), model, catalog, flags);
  } finally {
    await catalog.close();
  }
}

async function tellInfo(
  scorer: Scorer,
  model: ModelFolder,
  catalog: Catalog,
  flags: ScorerFlags & { json?: boolean },
): Promise<number> {
  const config = configOf(flags);
  const listed = catalog.list().find((s) => s.folder === model.folder)!;
  const providers = await tryProviders(config.dataDir);
  const placements = await placementsOf(scorer, model, config, providers);
  const info = { ...listed, graphs: scorer.graphs, gpuMemoryMb: gpuMemoryMb(), providers, placements };
  if (flags.json) printJson({ ...info, manifest: model.manifest });
  else print(describe(info, model, aspectWords(model)));
  return EXIT.ok;
}

/** A scorer by name, or a model folder by path. */
function locate(nameOrFolder: string, flags: ScorerFlags): ModelFolder {
  if (existsSync(join(nameOrFolder, 'manifest.json'))) return readManifest(resolve(nameOrFolder));
  return catalogOf(configOf(flags)).find(nameOrFolder);
}

async function withScorer<T>(
  model: ModelFolder,
  flags: ScorerFlags,
  use: (scorer: Scorer) => Promise<T>,
): Promise<T> {
  const scorer = await openScorer(model, configOf(flags));
  try {
    return await use(scorer);
  } finally {
    await scorer.close();
  }
}

/** What was found of the golden scores. */
type Proof = 'agree' | 'differ' | 'none';

/** Checks hashes, then the golden scores of every variant (or the one asked for). */
async function verify(model: ModelFolder, flags: ScorerFlags): Promise<Proof> {
  const files = Object.keys(model.manifest.files);
  await checkFiles(model, files);
  print(`hashes     ${files.length} files as the manifest says\n`);
  const agreed: boolean[] = [];
  for (const variant of flags.variant ? [flags.variant] : Object.keys(model.manifest.variants)) {
    const checks = await withScorer(model, { ...flags, variant }, (scorer) => checkGolden(model, scorer));
    if (checks.length === 0) {
      print(`${variant.padEnd(10)} loads and runs; it ships no golden scores to compare with\n`);
      continue;
    }
    const bad = checks.filter((c) => !c.ok);
    const worst = Math.max(0, ...checks.map((c) => c.difference));
    print(
      `${variant.padEnd(10)} ${checks.length - bad.length} of ${checks.length} golden scores agree, largest difference ${worst.toFixed(5)}\n`,
    );
    for (const c of bad) print(`  ${c.image} ${c.aspect}: expected ${c.expected}, found ${c.found}\n`);
    agreed.push(bad.length === 0);
  }
  if (agreed.length === 0) return 'none';
  return agreed.every(Boolean) ? 'agree' : 'differ';
}

const PROOF_WORDS: Record<Proof, string> = {
  agree: 'verified',
  differ: 'not verified: this machine or these files give other scores',
  none: 'the files are whole; whether the scores are right could not be told',
};

export async function verifyModel(nameOrFolder: string, flags: ScorerFlags): Promise<number> {
  const proof = await verify(locate(nameOrFolder, flags), flags);
  print(`${PROOF_WORDS[proof]}\n`);
  return proof === 'differ' ? EXIT.someFailed : EXIT.ok;
}

/**
 * Copies beside the target first, so that a broken copy never takes the place of a good model. Download caches keep
 * files as links to elsewhere; what they lead to is copied.
 *
 * @throws MODEL_NOT_COPIED
 */
async function copyModel(from: string, target: string): Promise<void> {
  const parent = dirname(target);
  let copy: string | undefined;
  try {
    createFolder(parent);
    copy = mkdtempSync(join(parent, '.import-'));
    // Not `cpSync`, which keeps links inside a folder.
    await cp(realpathSync(from), copy, { recursive: true, dereference: true });
    rmSync(target, { recursive: true, force: true });
    renameSync(copy, target);
  } catch (cause) {
    throw fail('MODEL_NOT_COPIED', { folder: target, reason: reasonOf(cause) }, { cause });
  } finally {
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true });
  }
}

/**
 * Where to copy a scorer to. Only an imported one can be replaced: what ships, or stands in a folder of the user's,
 * would go on to be found first.
 *
 * @throws MODEL_EXISTS
 */
function placeFor({ manifest }: ModelFolder, config: Config, force: boolean): string {
  const ref = refOf(manifest);
  const imported = importedModels(config);
  const known = catalogOf(config)
    .models()
    .find((model) => refOf(model.manifest) === ref);
  const folder = known?.folder ?? join(imported, ref);
  if (existsSync(folder) && !(force && dirname(folder) === imported))
    throw fail('MODEL_EXISTS', { id: ref, folder });
  return folder;
}

/** Other versions stay: each has a folder of its own. */
export async function importModel(dir: string, flags: ScorerFlags & { force?: boolean }): Promise<number> {
  const config = configOf(flags);
  const model = readManifest(resolve(dir));
  const { id, version, golden } = model.manifest;
  const target = placeFor(model, config, flags.force ?? false);
  if ((await verify(model, flags)) === 'differ')
    throw fail('MODEL_UNFIT', { scorer: id, file: golden, reason: 'golden scores differ' });
  await copyModel(model.folder, target);
  const name = nameOf(catalogOf(config), model.manifest);
  print(`imported ${id} ${version} to ${target}\nuse it with --scorer ${name}\n`);
  return EXIT.ok;
}
