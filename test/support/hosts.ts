/** A fake for each kind of host, with workflows in its own format: what the contract of hosts is tested on. */
import type { Workflow } from '../../src/host.ts';
import { startFake } from './comfyui/fake.ts';
import { flatImages, sink, slowImage, through } from './comfyui/graphs.ts';
import { hasReal, START_MS, startReal, TEST_PACK } from './comfyui/real.ts';
import type { TestHost } from './test-host.ts';

export { START_MS };

export interface HostFake {
  start(): Promise<TestHost>;
  /** Starts a real one; absent where the environment names none. */
  real?: (() => Promise<TestHost>) | undefined;
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

/** By id of the kind. */
export const FAKES: Readonly<Record<string, HostFake>> = {
  comfyui: {
    start: () => startFake(),
    real: hasReal ? () => startReal({ packs: [TEST_PACK] }) : undefined,
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
  },
};
