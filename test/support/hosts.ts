/** A fake for each kind of host, with workflows in its own format: what the contract of hosts is tested on. */
import type { Workflow } from '../../src/host.ts';
import { type FakeWebui, startFake as startWebui } from './a1111/fake.ts';
import { REALS, type Real } from './a1111/real.ts';
import { failing, pictures, slow } from './a1111/requests.ts';
import { startFake } from './comfyui/fake.ts';
import { flatImages, sink, slowImage, through } from './comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from './comfyui/real.ts';
import type { TestHost } from './test-host.ts';

export { START_MS };

/**
 * What hosts of a kind do not have, so that nothing about it is promised: `history` of the runs of others; `places`, by
 * which images are known and fetched; a `cache` of what ran before; a way to make a run `fail`; a `channel` on which
 * every step is told.
 */
export type Lack = 'history' | 'places' | 'cache' | 'fail' | 'channel';

/** A real one of the kind. */
export interface RealHostFake extends HostFake {
  /** What the environment names it by. */
  variable: string;
  isThere: boolean;
}

export interface HostFake {
  /** How it calls itself. */
  title: string;
  version: RegExp;
  start(): Promise<TestHost>;
  /** Real ones, there or not. */
  reals: RealHostFake[];
  lacks: readonly Lack[];
  workflows: {
    /** Flat images, their names beginning with the prefix, which may hold folders. No two workflows give the same. */
    images(options?: { count?: number; prefix?: string; type?: 'output' | 'temp' }): Workflow;
    /** One image that takes `steps` × `ms`, with progress and a preview each step. */
    slow(options: { steps: number; ms?: number }): Workflow;
    /** Fails with these words, with an image that may be saved before. */
    failing(message: string): Workflow;
  };
  /** Ids of the nodes in them that save, that take their time, and that may save before the failure. */
  nodes: { save: string; slow: string; early: string };
  /** Workflows that the host does not take, and what is said of them. */
  refused: [what: string, workflow: Workflow, message: RegExp][];
}

const comfyui: Omit<HostFake, 'start' | 'reals'> = {
  title: 'ComfyUI',
  version: /^\d+\.\d+\.\d+/,
  lacks: [],
  workflows: {
    images: flatImages,
    slow: slowImage,
    failing: (message) => ({
      ...through('AssayTestFail', { message }),
      '8': sink('output', ['1', 0], 'before'),
    }),
  },
  nodes: { save: '9', slow: '2', early: '8' },
  refused: [
    [
      'a class that it does not have',
      { '5': { class_type: 'NoSuchNode', inputs: {} } },
      /node 5 \(NoSuchNode\): .*NoSuchNode/,
    ],
    [
      'an input that is missing',
      {
        '9': sink('output', ['1', 0], 'x'),
        '1': { class_type: 'EmptyImage', inputs: { width: 8, height: 8, color: 0 } },
      },
      /node 1 \(EmptyImage\): .*missing.*batch_size/,
    ],
    ['no output', { '1': flatImages()['1']! }, /no outputs/],
  ],
};

const a1111: Omit<HostFake, 'start' | 'reals' | 'title' | 'version'> = {
  lacks: ['history', 'places', 'cache', 'channel'],
  workflows: { images: ({ count } = {}) => pictures(count === undefined ? {} : { count }), slow, failing },
  nodes: { save: 'txt2img', slow: 'txt2img', early: 'txt2img' },
  refused: [
    ['a script that it does not have', { ...pictures(), script_name: 'no such script' }, /no such script/i],
    ['a value of the wrong kind', { ...pictures(), cfg_scale: 'high' }, /txt2img: cfg_scale: /],
    ['a field that it does not have', { ...pictures(), cfg: 7 }, /no field "cfg" in txt2img/],
  ],
};

/** On a real one each step takes its own time, and nothing can be made to fail. */
const realA1111 = ({ title, version, variable, isThere, knowsScripts, start }: Real): RealHostFake => ({
  ...a1111,
  ...{ title, version, variable, isThere, start, reals: [] },
  lacks: [...a1111.lacks, 'fail'],
  workflows: { ...a1111.workflows, slow: ({ steps }) => pictures({ steps }) },
  refused: a1111.refused.filter(([what]) => knowsScripts || !what.includes('script')),
});

/** By id of the kind. */
export const FAKES: Readonly<Record<string, HostFake>> = {
  comfyui: {
    ...comfyui,
    start: () => startFake(),
    reals: [
      {
        ...{ ...comfyui, reals: [], variable: 'COMFYUI_DIR', isThere: hasReal },
        start: () => startReal({ packs: [TEST_PACK] }),
      },
    ],
  },
  a1111: {
    ...a1111,
    ...{ title: 'Forge', version: /^f2\.0\.1v1\.10\.1/ },
    start: (): Promise<FakeWebui> => startWebui(),
    reals: REALS.map(realA1111),
  },
};
