/** 5 prepare: pixels and prompt to the graph's inputs, as the manifest says. */
import type { Pixels } from '../types.ts';
import { resize } from './decode.ts';
import type { ImageSpec, Manifest } from './manifest.ts';
import type { Tensor, Tensors } from './tensor.ts';
import type { TextEncoder } from './text.ts';

const perChannel = (value: number | number[]): number[] =>
  Array.isArray(value) ? value : [value, value, value];

/** `[height, width, 3]`, either the bytes themselves or scaled floats. */
function toTensor(bytes: Uint8Array, spec: ImageSpec): Tensor {
  const dims = [spec.height, spec.width, 3];
  if (spec.dtype === 'uint8') return { dtype: 'uint8', dims, data: bytes };
  const [scale, offset] = [perChannel(spec.scale), perChannel(spec.offset)];
  const data = Float32Array.from(bytes, (value, i) => value * scale[i % 3]! + offset[i % 3]!);
  return { dtype: 'float32', dims, data };
}

/**
 * The inputs of one item, without the batch dimension.
 *
 * @param encode the scorer's text encoder, when it reads prompts; a missing prompt is read as empty
 */
export async function prepare(
  pixels: Pixels,
  prompt: string | null,
  manifest: Manifest,
  encode: TextEncoder | undefined,
): Promise<Tensors> {
  const bytes = await resize(pixels, manifest.image);
  return { [manifest.image.input]: toTensor(bytes, manifest.image), ...encode?.(prompt ?? '') };
}
