/** What a model folder says of itself. The JSON schema in `models/manifest.schema.json` is generated from here. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { policySchema } from '../../config/settings.ts';
import { fail, reasonOf } from '../../errors/error.ts';
import { issueInWords } from '../../lib/issue.ts';
import { ASPECTS } from '../../types/aspect.ts';
import { faultsOf } from './manifest-faults.ts';

/** A file of a model folder, never one outside. */
export const fileName = z
  .string()
  .regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/)
  .describe('path inside the model folder');
const range = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low < high, 'the lowest score must be below the highest')
  .describe('lowest and highest score');
const channels = z.union([z.number(), z.tuple([z.number(), z.number(), z.number()])]);
/** With 0 every image would be the same to the graph. */
const scaling = channels.refine((value) => ![value].flat().includes(0), 'must not be 0');

/** Larger than any network takes; a slip in a manifest must not take all memory. */
const MOST_PIXELS_A_SIDE = 4096;
const side = z.int().min(1).max(MOST_PIXELS_A_SIDE);

/** Kernels that reproduce another library's results; Pillow's are antialiased. */
export const EXACT_KERNELS = ['pillow-cubic', 'pillow-linear', 'torch-linear', 'opencv-cubic'] as const;
export type ExactKernel = (typeof EXACT_KERNELS)[number];

const windowsSchema = z.strictObject({
  count: z.int().min(1).max(1024).describe('windows of the image that are looked at, spread evenly'),
  stride: z.int().min(1).describe('pixels between neighbouring windows that may be chosen'),
  largeStride: z.int().min(1).describe('the same for large images'),
  largeSide: z.int().min(1).describe('an image with a side as long as this is large'),
  enlargeTo: z.int().min(1).describe('images with a shorter side are enlarged until it has this length'),
  whole: z
    .string()
    .optional()
    .describe('name of the graph input for the whole image at the size of a window, if the graph reads it'),
});

const imageSchema = z.strictObject({
  input: z.string().nullable().describe('name of the graph input; null: no graph reads pixels'),
  width: side,
  height: side,
  resize: z
    .enum(['stretch', 'cover', 'contain', 'windows'])
    .describe(
      'stretch: both sides to size; cover: centre crop; contain: pad with black; windows: cut out, see `windows`',
    ),
  kernel: z
    .enum(['cubic', 'linear', 'lanczos3', 'nearest', ...EXACT_KERNELS])
    .describe('resampling kernel; those named after a library give the same bytes as it does'),
  windows: windowsSchema.optional().describe('for resize: windows'),
  layout: z.literal('nhwc'),
  dtype: z.enum(['uint8', 'float32']),
  scale: scaling.default(1).describe('for float32 inputs: value = pixel * scale + offset'),
  offset: channels.default(0),
  minSide: z.int().min(1).describe('shorter images are out of domain'),
  maxAspectRatio: z.number().min(1).describe('longer images are out of domain'),
});

const shortSchema = z
  .strictObject({
    words: z.int().min(0).describe('a text of no more parts between single spaces is short'),
    tokens: z.int().min(2).describe('cut or filled to; what fills it up counts in the mask'),
  })
  .describe('texts that have a fixed length of their own, less than contextLength');

const textSchema = z.strictObject({
  tokenizer: fileName.describe('tokenizer.json of the Hugging Face format'),
  tokenizerConfig: fileName.optional().describe('tokenizer_config.json beside it'),
  mending: fileName
    .optional()
    .describe("tables by which prompts are mended before, in the place of the tokenizer's own normaliser"),
  ids: z.string().describe('name of the graph input for token ids'),
  mask: z.string().nullable().describe('name of the graph input for the attention mask'),
  dtype: z.enum(['int64', 'int32']),
  contextLength: z
    .int()
    .min(2)
    .max(65_536)
    .describe('tokens; longer prompts are cut, keeping the last special token'),
  padId: z.int().min(0),
  short: shortSchema.optional(),
});

const aspectSchema = z.strictObject({
  output: z.string().describe('name of the graph output, one row an image'),
  kind: z
    .enum(['mean-spread', 'mean', 'distribution'])
    .default('mean-spread')
    .describe('mean-spread: two numbers; mean: one; distribution: one probability a level'),
  levels: z.array(z.number()).min(2).optional().describe('value of each level of a distribution'),
  range,
  needsPrompt: z.boolean(),
});

const domainSchema = z.strictObject({
  output: z.string().describe('name of the graph output, one number an image'),
  limit: z.number().describe('images above it are out of domain'),
  reason: z.string().min(1).describe('what such an image is, for people; the figure and the limit are added'),
});

const standardSchema = z.strictObject({ mean: z.number(), deviation: z.number().gt(0) });

/** The last graph of every scorer: image (and prompt) to raw outputs. */
export const SCORE = 'score';

const graphSchema = z.strictObject({
  graph: z.string().describe('name of the graph in `variants`'),
  per: z
    .enum(['prompt', 'image', 'pair'])
    .describe('what the outputs depend on; those of the first two are kept and fed to `score` by name'),
  texts: z
    .array(z.string())
    .min(1)
    .optional()
    .describe('texts that the graph reads; {prompt} stands for the prompt'),
});

const turnSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  text: z
    .string()
    .min(1)
    .optional()
    .describe(
      '{prompt} stands for the prompt, {image} for the image; absent, for an assistant: what the model answers to the turns before',
    ),
});

const saidSchema = z.strictObject({
  input: z.string().describe('name of the input of `score`'),
  turns: z
    .array(turnSchema)
    .min(1)
    .describe(
      'the conversation; where {image} stands nowhere, the image is before the first words of the user',
    ),
  pool: z
    .enum(['mean', 'none'])
    .describe('mean: [width], over all positions; none: [positions, width], one image a batch'),
  maxPositions: z.int().min(1).max(65_536).optional().describe('positions that are read; later ones are cut'),
});

const languageSchema = z.strictObject({
  model: z.string().min(1).describe('which model it must be, for people'),
  width: z.int().min(1).max(65_536).describe('of its hidden states'),
  inputs: z
    .array(saidSchema)
    .min(1)
    .describe('its hidden states after its last norm, of a conversation about the image'),
});

const variantSchema = z.strictObject({
  graphs: z.record(z.string(), fileName).describe('file of each graph; `score` is always there'),
  windows: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('number of windows, where it is not `image.windows.count`'),
});

export const manifestSchema = z
  .strictObject({
    $schema: z.string().optional(),
    manifestVersion: z.literal(1),
    id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/),
    version: z
      .string()
      .regex(/^\w[\w.+-]*$/)
      .describe('scorers of one id and several versions may stand side by side'),
    title: z.string(),
    description: z.string(),
    license: z.string().describe('SPDX id of the weights'),
    source: z.string().describe('where the weights come from'),
    backend: z.enum(['onnx', 'tfjs']),
    defaultVariant: z.string(),
    gpuVariant: z.string().optional().describe('variant in float16, for execution providers other than cpu'),
    variants: z.record(z.string(), variantSchema),
    files: z
      .record(fileName, z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) }))
      .describe('`<graph file>.data` holds the weights of a graph that keeps them outside'),
    graphs: z
      .array(graphSchema)
      .default([{ graph: SCORE, per: 'pair' }])
      .describe('graphs in the order they are run; the last is `score`, per pair of image and prompt'),
    image: imageSchema,
    text: textSchema.nullable(),
    language: languageSchema
      .optional()
      .describe('what a language model elsewhere holds of the image, as inputs of `score`'),
    domain: domainSchema
      .nullable()
      .default(null)
      .describe('how the graph tells images apart that are foreign to the scorer; null: it does not'),
    aspects: z.strictObject({
      quality: aspectSchema.nullable(),
      alignment: aspectSchema.nullable(),
      authenticity: aspectSchema.nullable(),
    }),
    reward: z.strictObject({
      weights: z
        .partialRecord(z.enum(ASPECTS), z.number().min(0))
        .describe('weight of each aspect in the reward'),
      standard: z
        .partialRecord(z.enum(ASPECTS), standardSchema)
        .optional()
        .describe(
          'what brings the aspects to one scale: each score counts by how many deviations it lies above the mean, and the reward is the share of a normal distribution below their weighted mean; when absent, scores count by where they lie in their range',
        ),
    }),
    policy: policySchema.optional().describe('thresholds where the config and the request demand nothing'),
    maxBatch: z.int().min(1).max(1024).describe('most images in one run'),
    cpuMaxBatch: z
      .int()
      .min(1)
      .optional()
      .describe('the same on the CPU, where small batches keep to the caches'),
    calibration: fileName,
    golden: fileName,
    card: fileName,
  })
  .describe('Manifest of an Assay model folder');

export type Manifest = z.infer<typeof manifestSchema>;
export type ImageSpec = Manifest['image'];
/** Of a graph that reads pixels. */
export type PixelSpec = ImageSpec & { input: string };
export type GraphSpec = z.infer<typeof graphSchema>;
export type LanguageSpec = z.infer<typeof languageSchema>;
export type TextSpec = z.infer<typeof textSchema>;
export type DomainSpec = z.infer<typeof domainSchema>;
export type AspectSpec = z.infer<typeof aspectSchema>;

/** A model folder whose manifest has been read and checked. */
export interface ModelFolder {
  folder: string;
  manifest: Manifest;
}

/** The name of exactly this scorer, and of its folder: `id@version`. Neither part can hold an `@`. */
export const refOf = ({ id, version }: Pick<Manifest, 'id' | 'version'>): string => `${id}@${version}`;

/** Reads and checks a JSON file of a model folder. @throws MANIFEST_INVALID, MODEL_FILE_MISSING */
export function readModelJson<T extends z.ZodType>(folder: string, file: string, schema: T): z.infer<T> {
  const path = join(folder, file);
  if (!existsSync(path)) throw fail('MODEL_FILE_MISSING', { folder, file });
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw fail('MANIFEST_INVALID', { path, reason: reasonOf(cause) }, { cause });
  }
  const parsed = schema.safeParse(json, { jitless: true }); // read once: not worth compiling
  if (!parsed.success)
    throw fail('MANIFEST_INVALID', { path, reason: issueInWords(parsed.error.issues[0]!) });
  return parsed.data;
}

/** Reads the manifest of a model folder. @throws FILE_NOT_FOUND, MANIFEST_INVALID */
export function readManifest(folder: string): ModelFolder {
  if (!existsSync(folder)) throw fail('FILE_NOT_FOUND', { path: folder });
  if (!existsSync(join(folder, 'manifest.json')))
    throw fail('MANIFEST_INVALID', {
      path: folder,
      reason: 'it holds no manifest.json, as model folders do',
    });
  const manifest = readModelJson(folder, 'manifest.json', manifestSchema);
  const path = join(folder, 'manifest.json');
  const [wrong] = faultsOf(manifest, SCORE);
  if (wrong) throw fail('MANIFEST_INVALID', { path, reason: wrong });
  return { folder, manifest };
}
