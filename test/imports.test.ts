/**
 * The architecture as rules on imports: layers point down, each heavy library has one owner, a host is named in its own
 * folder alone, and a start reads nothing heavy.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HOST_KINDS } from '../src/bridge/hosts/kinds.ts';

const src = fileURLToPath(new URL('../src', import.meta.url));

interface Import {
  from: string;
  /** Path inside src, or package name. */
  to: string;
  typeOnly: boolean;
  /** Read when it is needed. */
  lazy: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = text.matchAll(/^(?:import|export)( type)?[^'"]*?from '([^']+)'|import\('([^']+)'\)/gm);
  return [...found].map((m) => {
    const target = (m[2] ?? m[3])!;
    const to = target.startsWith('.') ? relative(src, join(dirname(join(src, file)), target)) : target;
    return { from: file, to, typeOnly: m[1] !== undefined, lazy: m[3] !== undefined };
  });
}

const imports = files.flatMap(importsOf);
const layerOf = (file: string): string => (file.includes('/') ? file.split('/')[0]! : file);

/** What every room may use and none owns. */
const SHARED = ['types', 'host.ts', 'errors', 'lib', 'config', 'config.ts', 'log.ts'];
const ROOMS = ['bridge', 'prompt', 'reward', 'loops', 'store', 'files', 'nodes'];
const BELOW_COMMANDS = [
  'watches.ts',
  'watcher.ts',
  'refining.ts',
  'search.ts',
  'previews.ts',
  'judging.ts',
  'judges.ts',
  'runtime.ts',
  'results.ts',
  'daemon.ts',
  'pipeline.ts',
  ...ROOMS,
  'page',
  'tables',
  ...SHARED,
];
const ALLOWED: Record<string, string[]> = {
  types: ['types'],
  errors: ['errors'],
  'host.ts': ['types'],
  lib: ['lib', 'types', 'errors'],
  'log.ts': ['lib'],
  config: ['config', 'types', 'errors', 'lib'],
  // Each host declares its settings.
  'config.ts': ['config', 'types', 'errors', 'lib', 'bridge'],
  tables: ['tables', 'lib', 'types', 'errors'],
  page: ['page'],
  ...Object.fromEntries(ROOMS.map((room) => [room, [room, ...SHARED]])),
  loops: ['loops', 'page', ...SHARED],
  'results.ts': ['types', 'errors', 'prompt'],
  'pipeline.ts': ['results.ts', ...ROOMS, ...SHARED],
  // Joins scorers with models elsewhere.
  'judges.ts': [...ROOMS, ...SHARED],
  'runtime.ts': ['judges.ts', 'results.ts', 'pipeline.ts', ...ROOMS, ...SHARED],
  'watcher.ts': ['runtime.ts', ...ROOMS, ...SHARED],
  'judging.ts': ['runtime.ts', ...ROOMS, ...SHARED],
  'previews.ts': ['judging.ts', 'runtime.ts', ...ROOMS, ...SHARED],
  'search.ts': ['judging.ts', 'previews.ts', 'runtime.ts', 'page', ...ROOMS, ...SHARED],
  'refining.ts': ['judging.ts', 'runtime.ts', ...ROOMS, ...SHARED],
  'watches.ts': ['runtime.ts', 'watcher.ts', ...ROOMS, ...SHARED],
  'daemon.ts': ['runtime.ts', 'watches.ts', ...ROOMS, ...SHARED],
  eval: ['eval', 'page', 'tables', ...SHARED],
  bench: ['bench', 'eval', ...BELOW_COMMANDS],
  cli: ['cli', 'eval', 'bench', ...BELOW_COMMANDS],
};

/** How the code of a kind of host calls it, in names, imports, flags and texts alike. */
const NAMES: Record<string, RegExp> = { comfyui: /comfy/i, a1111: /a1111|automatic1111|sdapi/i };

/** Where a host may be named outside its own folder. */
const MAY_NAME: Record<string, string> = {
  'bridge/hosts/kinds.ts': 'the table of the kinds',
  'errors/table.ts': 'advice to people, who know the host by its name',
  'prompt/': 'formats of files, which bear the name of the program that writes them',
  'cli/commands/prompt.ts': 'the same: which files it reads',
  'nodes/': 'the nodes that go into that host',
};

/** What takes long to read, or does something when it is read. */
const HEAVY = [
  /^bridge\/hosts\/\w+\/(?!kind\.ts$)./,
  /^bridge\/server\//,
  /^(reward|store|loops|eval|bench|nodes|page)\//,
  /^pipeline\.ts$/,
];

/** All that is read at once with a file. */
function readWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const { from, to, typeOnly, lazy } of imports)
    if (from === file && !typeOnly && !lazy) readWith(to, seen);
  return seen;
}

// The bench is a client of its own: it may open websockets beside the server.
const isBench = (file: string): boolean => file.startsWith('bench/');

const OWNERS: Record<string, string | string[]> = {
  'onnxruntime-node': 'reward/graph/session.ts',
  sharp: 'reward/image/decode.ts',
  'node:sqlite': 'store/file/db.ts',
  ws: 'bridge/hosts/comfyui/link/live/socket.ts',
  bufferutil: 'bridge/server/ws/frames.ts',
  '@tensorflow/tfjs-core': 'reward/graph/session-tfjs.ts',
  picomatch: 'cli/input/images.ts',
  'csv-parse/sync': ['cli/score/earlier.ts', 'tables/table.ts'],
  'hyparquet-writer': 'cli/export/parquet.ts',
  '@observablehq/plot': 'page/plots.ts',
  '@modelcontextprotocol/sdk/server/index.js': 'cli/mcp/server.ts',
  '@modelcontextprotocol/sdk/server/stdio.js': 'cli/mcp/server.ts',
  '@modelcontextprotocol/sdk/types.js': 'cli/mcp/server.ts',
};

describe('imports', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports.filter((i) => i.from === 'pipeline.ts').length).toBeGreaterThan(5);
  });

  it('point down the layers', () => {
    const wrong = imports.filter(({ from, to }) => {
      const allowed = ALLOWED[layerOf(from)] ?? [];
      return to.endsWith('.ts') && !allowed.includes(layerOf(to));
    });
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(OWNERS))('of %s stand in %s alone', (library, owner) => {
    const users = imports
      .filter((i) => i.to === library && !i.typeOnly && !isBench(i.from))
      .map((i) => i.from);
    expect([...new Set(users)].toSorted()).toEqual([owner].flat());
  });

  it('make no folder with `recursive`, which does not return in places such as /proc', () => {
    const makers = files.filter((file) =>
      /\bmkdir(Sync)?\([^;]*recursive/.test(readFileSync(join(src, file), 'utf8')),
    );
    expect(makers).toEqual([]);
  });

  it.each(['cli/program.ts', 'config.ts'])(
    'that come with %s, which every start reads, are light',
    (file) => {
      const read = [...readWith(file)];
      expect(read).toContain('bridge/hosts/comfyui/kind.ts');
      expect(read.filter((name) => HEAVY.some((pattern) => pattern.test(name)))).toEqual([]);
      expect(read.filter((name) => name in OWNERS)).toEqual([]);
    },
  );

  it('that come with scoring have no part of a host but its row', () => {
    const read = [...readWith('cli/score.ts')];
    expect(read).toContain('reward/scorer.ts');
    expect(read.filter((name) => name === 'ws' || HEAVY[0]!.test(name))).toEqual([]);
  });

  it('have no cycles', () => {
    const graph = new Map(
      files.map((f) => [f, imports.filter((i) => i.from === f && !i.typeOnly).map((i) => i.to)]),
    );
    const done = new Set<string>();
    const visit = (file: string, path: string[]): string[] | undefined => {
      if (path.includes(file)) return [...path, file];
      if (done.has(file) || !graph.has(file)) return undefined;
      for (const next of graph.get(file)!) {
        const cycle = visit(next, [...path, file]);
        if (cycle) return cycle;
      }
      done.add(file);
      return undefined;
    };
    for (const file of files) expect(visit(file, [])).toBeUndefined();
  });
});

describe('a host', () => {
  const textOf = (file: string): string => readFileSync(join(src, file), 'utf8');
  const naming = (id: string): string[] =>
    files.filter((file) => !file.startsWith(`bridge/hosts/${id}/`) && NAMES[id]!.test(textOf(file)));
  const ids = HOST_KINDS.map(({ id }) => id);

  it.each(ids)('%s is named in its own folder alone', (id) => {
    const excused = (file: string): boolean => Object.keys(MAY_NAME).some((place) => file.startsWith(place));
    expect(naming(id).filter((file) => !excused(file))).toEqual([]);
  });

  it('has exceptions that are needed, and no others', () => {
    const all = ids.flatMap(naming);
    const idle = Object.keys(MAY_NAME).filter((place) => !all.some((file) => file.startsWith(place)));
    expect(idle).toEqual([]);
  });
});
