/** Workflows in API format that run without any checkpoint, on the fake host and on a real one with the test pack. */

export interface GraphNode {
  class_type: string;
  inputs: Record<string, unknown>;
}
export type Graph = Record<string, GraphNode>;

let next = 1;
/** A colour that no graph of this run has used: hosts answer repeated graphs from their cache. */
export const freshColour = (): number => (Date.now() % 65_536) * 256 + (next++ % 256);

/** `count` flat images of `size`² go to SaveImage (node 9), or to PreviewImage for `temp`. */
export function flatImages(
  options: { count?: number; size?: number; color?: number; prefix?: string; type?: 'output' | 'temp' } = {},
): Graph {
  const { count = 1, size = 64, color = freshColour(), prefix = 'assay', type = 'output' } = options;
  return {
    '1': { class_type: 'EmptyImage', inputs: { width: size, height: size, batch_size: count, color } },
    '9': sink(type, ['1', 0], prefix),
  };
}

export function sink(type: 'output' | 'temp', images: [string, number], prefix: string): GraphNode {
  return type === 'temp'
    ? { class_type: 'PreviewImage', inputs: { images } }
    : { class_type: 'SaveImage', inputs: { images, filename_prefix: prefix } };
}

/** One image, and a node that works for `steps` × `ms` before it is saved, with a preview a step. */
export function slowImage(
  options: { steps?: number; ms?: number; color?: number; prefix?: string } = {},
): Graph {
  const { steps = 10, ms = 50, ...rest } = options;
  const graph = flatImages(rest);
  graph['2'] = { class_type: 'AssayTestSteps', inputs: { image: ['1', 0], steps, ms } };
  graph['9']!.inputs.images = ['2', 0];
  return graph;
}

/** One image that passes a node of the test pack before it is saved. */
export function through(class_type: string, inputs: Record<string, unknown> = {}): Graph {
  const graph = flatImages();
  graph['2'] = { class_type, inputs: { image: ['1', 0], ...inputs } };
  graph['9']!.inputs.images = ['2', 0];
  return graph;
}
