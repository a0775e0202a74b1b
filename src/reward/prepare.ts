/** 5 prepare: pixels to the image inputs of a graph, as the manifest says. */
import type { Pixels } from '../types.ts';
import { resize } from './decode.ts';
import type { ImageSpec } from './manifest.ts';
import type { Tensor, Tensors } from './tensor.ts';
import { makeView, makeWindows } from './windows.ts';

const perChannel = (value: number | number[]): number[] =>
  Array.isArray(value) ? value : [value, value, value];

/** Whole grey levels; a kernel that gives fractions is rounded. */
const asBytes = (values: Uint8Array | Float32Array): Uint8Array =>
  values instanceof Uint8Array ? values : Uint8Array.from(values, Math.round);

/** `[height, width, 3]`, either the bytes themselves or scaled floats. */
function toTensor(values: Uint8Array | Float32Array, spec: ImageSpec): Tensor {
  const dims = [spec.height, spec.width, 3];
  if (spec.dtype === 'uint8') return { dtype: 'uint8', dims, data: asBytes(values) };
  const [scale, offset] = [perChannel(spec.scale), perChannel(spec.offset)];
  const data = Float32Array.from(values, (value, i) => value * scale[i % 3]! + offset[i % 3]!);
  return { dtype: 'float32', dims, data };
}

/** Windows of the image `[count, height, width, 3]`, and the whole of it `[height, width, 3]`. */
function windowTensors(pixels: Pixels, spec: ImageSpec): Tensors {
  const { input, width, height } = spec;
  const { whole: wholeInput, ...plan } = spec.windows!;
  const { windows, whole } = makeWindows(pixels, { width, height, ...plan });
  return {
    [input]: { dtype: 'uint8', dims: [plan.count, height, width, 3], data: windows },
    [wholeInput]: { dtype: 'float32', dims: [height, width, 3], data: whole },
  };
}

/** The image inputs of one item, without the batch dimension. */
export async function prepareImage(pixels: Pixels, spec: ImageSpec): Promise<Tensors> {
  const { resize: fit, kernel, width, height } = spec;
  if (fit === 'windows') return windowTensors(pixels, spec);
  const values =
    kernel === 'pillow-cubic' || kernel === 'pillow-linear' || kernel === 'torch-linear'
      ? makeView(pixels, { width, height, resize: fit, kernel })
      : await resize(pixels, { width, height, resize: fit, kernel });
  return { [spec.input]: toTensor(values, spec) };
}
