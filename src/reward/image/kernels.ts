/** 5 prepare: the image inputs that are made by exact kernels. Pure. */
import type { Pixels } from '../../types/image.ts';
import type { Tensor, Tensors } from '../graph/tensor.ts';
import type { PixelSpec } from '../model/manifest.ts';
import { makeView, makeWindows, type ViewSpec } from './views.ts';

export interface ExactTask {
  pixels: Pixels;
  spec: PixelSpec;
  /** The one view of the image; null: windows, as the spec plans them. */
  view: ViewSpec | null;
}

const perChannel = (value: number | number[]): number[] =>
  Array.isArray(value) ? value : [value, value, value];

/** Whole grey levels; a kernel that gives fractions is rounded. */
const asBytes = (values: Uint8Array | Float32Array): Uint8Array =>
  values instanceof Uint8Array ? values : Uint8Array.from(values, Math.round);

/** `[height, width, 3]`, either the bytes themselves or scaled floats. */
export function toTensor(values: Uint8Array | Float32Array, spec: PixelSpec): Tensor {
  const dims = [spec.height, spec.width, 3];
  if (spec.dtype === 'uint8') return { dtype: 'uint8', dims, data: asBytes(values) };
  const [scale, offset] = [perChannel(spec.scale), perChannel(spec.offset)];
  const data = Float32Array.from(values, (value, i) => value * scale[i % 3]! + offset[i % 3]!);
  return { dtype: 'float32', dims, data };
}

/** Windows of the image `[count, height, width, 3]`, and the whole of it `[height, width, 3]` where it is read. */
function windowTensors(pixels: Pixels, spec: PixelSpec): Tensors {
  const { input, width, height } = spec;
  const { whole: wholeInput, ...plan } = spec.windows!;
  const { windows, whole } = makeWindows(pixels, { width, height, ...plan, whole: wholeInput !== undefined });
  const tensors: Tensors = {
    [input]: { dtype: 'uint8', dims: [plan.count, height, width, 3], data: windows },
  };
  if (whole) tensors[wholeInput!] = { dtype: 'float32', dims: [height, width, 3], data: whole };
  return tensors;
}

/**
 * Whether Pillow's kernels go over the image, which takes some 20 ms a megapixel. The others read no more pixels than
 * the output asks for: a copy of the image would take longer.
 */
export const isLong = ({ pixels, spec, view }: ExactTask): boolean =>
  view ? view.kernel.startsWith('pillow-') : Math.min(pixels.width, pixels.height) < spec.windows!.enlargeTo;

/** May return the image's own bytes. @throws RangeError when not even one window fits in */
export function exactTensors({ pixels, spec, view }: ExactTask): Tensors {
  return view ? { [spec.input]: toTensor(makeView(pixels, view), spec) } : windowTensors(pixels, spec);
}
