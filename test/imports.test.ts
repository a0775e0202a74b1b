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

const SHARED = [
  'types.ts',
  'host.ts',
  'errors.ts',
  'abort.ts',
  'turn.ts',
  'json.ts',
  'folder.ts',
  'plain-file.ts',
  'config',
  'config.ts',
  'log.ts',
  'quiet.ts',
];
const PARTS = ['bridge', 'prompt', 'reward', 'loops', 'store', 'metadata', 'nodes'];
const ALLOWED: Record<string, string[]> = {
  'types.ts': [],
  'host.ts': ['types.ts'],
  'errors.ts': [],
  'abort.ts': [],
  'log-sink.ts': [],
  'log.ts': ['log-sink.ts'],
  'turn.ts': [],
  'folder.ts': [],
  'plain-file.ts': ['errors.ts'],
  'json.ts': [],
  'quiet.ts': [],
  config: ['config', 'types.ts', 'errors.ts', 'plain-file.ts'],
  'config.ts': ['config', 'types.ts', 'errors.ts'],
  lib: ['lib', 'types.ts', 'errors.ts'],
  tables: ['tables', 'lib', 'types.ts', 'errors.ts', 'plain-file.ts'],
  eval: ['eval', 'tables', 'lib', ...SHARED],
  ...Object.fromEntries(PARTS.map((part) => [part, [part, ...SHARED]])),
  'pipeline.ts': [...PARTS, ...SHARED],
  'daemon.ts': ['pipeline.ts', ...PARTS, ...SHARED],
};

// The bench is a client of its own: it may open websockets beside the server.
const isBench = (file: string): boolean => file.startsWith('bench/');

const OWNERS: Record<string, string | string[]> = {
  'onnxruntime-node': 'reward/session.ts',
  sharp: 'reward/decode.ts',
  'node:sqlite': 'store/db.ts',
  ws: 'bridge/comfyui/socket.ts',
  bufferutil: 'bridge/server/frames.ts',
  '@tensorflow/tfjs-core': 'reward/session-tfjs.ts',
  picomatch: 'cli/images.ts',
  'csv-parse/sync': ['cli/score/earlier.ts', 'tables/table.ts'],
  '@observablehq/plot': 'eval/plots.ts',
};

describe('imports', () => {
  it('are found', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(imports.filter((i) => i.from === 'pipeline.ts').length).toBeGreaterThan(5);
  });

  it('point down the layers', () => {
    const wrong = imports.filter(({ from, to }) => {
      const allowed = ALLOWED[layerOf(from)];
      return allowed && to.endsWith('.ts') && !allowed.includes(layerOf(to));
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
