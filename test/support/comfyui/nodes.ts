/** Node classes that the fake host knows: a few stock ones, and those of the test pack. */

/** A batch of flat images. */
export interface Images {
  count: number;
  width: number;
  height: number;
  /** 0xRRGGBB */
  color: number;
  /** Of the node that has added noise to them: they are not flat then. */
  seed?: number;
  /** Levels that they are brighter than their seed alone makes them. */
  lift?: number;
}

export interface SavedFile {
  filename: string;
  subfolder: string;
  type: 'output' | 'temp';
}

/** What a node of the fake can do to the world. */
export interface Bench {
  node: string;
  save(images: Images, type: 'output' | 'temp', prefix: string): Promise<SavedFile[]>;
  /** Waits `ms`, reports the step and sends a preview of the images. @throws when interrupted */
  step(value: number, max: number, ms: number, images: Images): Promise<void>;
  /** A frame to the client that asked for the run. */
  frame(frame: string | Uint8Array): void;
}

/** Goes through links in place of images: what hangs on it does not run. Its message, if any, is reported. */
export class Blocker {
  readonly message: string | null;
  constructor(message: string | null) {
    this.message = message;
  }
}

export interface NodeResult {
  value?: Images | Blocker | string;
  ui?: Record<string, unknown[]>;
}

/** Inputs of all classes; each finds those that it requires. */
export interface Inputs {
  image: Images;
  images: Images;
  width: number;
  height: number;
  batch_size: number;
  color: number;
  seed: number;
  filename_prefix: string;
  steps: number;
  ms: number;
  message: string;
  kind: number;
  hex: string;
  text: string;
  positive: string;
  samples: Images;
}

/** What `light` in a prompt adds to every image, in levels of brightness. */
export const LIGHT = 16;

export interface NodeClass {
  required: string[];
  output: boolean;
  run(inputs: Inputs, bench: Bench): Promise<NodeResult> | NodeResult;
}

const toInput = (required: string[], run: NodeClass['run']): NodeClass => ({ required, output: false, run });
const toOutput = (required: string[], run: NodeClass['run']): NodeClass => ({ required, output: true, run });

export const NODES: Record<string, NodeClass> = {
  EmptyImage: toInput(['width', 'height', 'batch_size', 'color'], ({ width, height, batch_size, color }) => ({
    value: { count: batch_size, width, height, color },
  })),
  ImageAddNoise: toInput(['image', 'seed', 'strength'], ({ image, seed }) => ({ value: { ...image, seed } })),
  CLIPTextEncode: toInput(['text'], ({ text }) => ({ value: text })),
  KSampler: toInput(['seed', 'positive'], ({ seed, positive }) => {
    const lift = /\blight\b/.test(positive) ? LIGHT : 0;
    return { value: { count: 1, width: 64, height: 64, color: 0, seed, lift } };
  }),
  VAEDecode: toInput(['samples'], ({ samples }) => ({ value: samples })),
  SaveImage: toOutput(['images', 'filename_prefix'], async ({ images, filename_prefix }, bench) => ({
    ui: { images: await bench.save(images, 'output', filename_prefix) },
  })),
  PreviewImage: toOutput(['images'], async ({ images }, bench) => ({
    ui: { images: await bench.save(images, 'temp', 'ComfyUI_temp') },
  })),
  AssayTestSteps: toInput(['image', 'steps', 'ms'], async ({ image, steps, ms }, bench) => {
    for (let step = 1; step <= steps; step++) await bench.step(step, steps, ms, image);
    return { value: image };
  }),
  AssayTestFail: toInput(['image', 'message'], ({ message }) => {
    throw new Error(message);
  }),
  AssayTestBlock: toInput(['image', 'message'], ({ message }) => ({ value: new Blocker(message || null) })),
  AssayTestFrame: toInput(['image', 'kind', 'hex'], ({ image, kind, hex }, bench) => {
    const type = Buffer.alloc(4);
    type.writeUInt32BE(kind);
    bench.frame(Buffer.concat([type, Buffer.from(hex, 'hex')]));
    return { value: image };
  }),
  AssayTestNaN: toOutput(['image'], () => ({ ui: { value: [Number.NaN] } })),
};
