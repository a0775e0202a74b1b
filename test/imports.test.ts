/** The architecture as rules on imports: layers point down, and each heavy library has one owner. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

interface Import {
  from: string;
  /** Path inside src, or package name. */
  to: string;
  typeOnly: boolean;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = text.matchAll(/^(?:import|export)( type)?[^'"]*?from '([^']+)'|import\('([^']+)'\)/gm);
  return [...found].map((m) => {
    const target = (m[2] ?? m[3])!;
    const to = target.startsWith('.') ? relative(src, join(dirname(join(src, file)), target)) : target;
    return { from: file, to, typeOnly: m[1] !== undefined };
  });
}

const imports = files.flatMap(importsOf);
const layerOf = (file: string): string => (file.includes('/') ? file.split('/')[0]! : file);

/** What every room may use and none owns. */
const SHARED = ['types.ts', 'host.ts', 'errors', 'lib', 'config', 'config.ts', 'log.ts'];
const ROOMS = ['bridge', 'prompt', 'reward', 'loops', 'store', 'files', 'nodes'];
const BELOW_COMMANDS = [
  'watcher.ts',
  'runtime.ts',
  'results.ts',
  'daemon.ts',
  'pipeline.ts',
  ...ROOMS,
  'tables',
  ...SHARED,
];
const ALLOWED: Record<string, string[]> = {
  'types.ts': [],
  errors: ['errors'],
  'host.ts': ['types.ts'],
  lib: ['lib', 'types.ts', 'errors'],
  'log.ts': ['lib'],
  config: ['config', 'types.ts', 'errors', 'lib'],
  // Each host declares its settings.
  'config.ts': ['config', 'types.ts', 'errors', 'lib', 'bridge'],
  tables: ['tables', 'lib', 'types.ts', 'errors'],
  ...Object.fromEntries(ROOMS.map((room) => [room, [room, ...SHARED]])),
  'results.ts': ['types.ts', 'errors', 'prompt'],
  'pipeline.ts': ['results.ts', ...ROOMS, ...SHARED],
  'runtime.ts': ['results.ts', 'pipeline.ts', ...ROOMS, ...SHARED],
  'watcher.ts': ['runtime.ts', ...ROOMS, ...SHARED],
  'daemon.ts': ['runtime.ts', 'watcher.ts', ...ROOMS, ...SHARED],
  eval: ['eval', 'tables', ...SHARED],
  bench: ['bench', 'eval', ...BELOW_COMMANDS],
  cli: ['cli', 'eval', 'bench', ...BELOW_COMMANDS],
};

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
  '@observablehq/plot': 'eval/page/plots.ts',
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
