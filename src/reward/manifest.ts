/** What a model folder says of itself. The JSON schema in `models/manifest.schema.json` is generated from here. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, reasonOf } from '../errors.ts';

const fileName = z
  .string()
  .regex(/^(?!\/)(?!.*\.\.)[\w./-]+$/)
  .describe('path inside the model folder');
const range = z.tuple([z.number(), z.number()]).describe('lowest and highest score');
const channels = z.union([z.number(), z.tuple([z.number(), z.number(), z.number()])]);

const imageSchema = z.strictObject({
  input: z.string().describe('name of the graph input'),
  width: z.int().min(1),
  height: z.int().min(1),
  resize: z
    .enum(['stretch', 'cover', 'contain'])
    .describe('stretch: both sides to size; cover: centre crop; contain: pad with black'),
  kernel: z.enum(['cubic', 'linear', 'lanczos3', 'nearest']).describe('antialiased resampling kernel'),
  layout: z.literal('nhwc'),
  dtype: z.enum(['uint8', 'float32']),
  scale: channels.default(1).describe('for float32 inputs: value = pixel * scale + offset'),
  offset: channels.default(0),
  minSide: z.int().min(1).describe('shorter images are out of domain'),
  maxAspectRatio: z.number().min(1).describe('longer images are out of domain'),
});

const textSchema = z.strictObject({
  tokenizer: fileName.describe('tokenizer.json of the Hugging Face format'),
  tokenizerConfig: fileName.optional().describe('tokenizer_config.json beside it'),
  ids: z.string().describe('name of the graph input for token ids'),
  mask: z.string().nullable().describe('name of the graph input for the attention mask'),
  dtype: z.enum(['int64', 'int32']),
  contextLength: z.int().min(1).describe('tokens; longer prompts are cut, keeping the last special token'),
  padId: z.int().min(0),
});

const aspectSchema = z.strictObject({
  output: z.string().describe('name of the graph output, one row an image'),
  kind: z
    .enum(['mean-spread', 'mean', 'distribution'])
    .default('mean-spread')
    .describe('mean-spread: two numbers; mean: one; distribution: one probability a level'),
  levels: z.array(z.number()).optional().describe('value of each level of a distribution'),
  range,
  needsPrompt: z.boolean(),
});

const domainSchema = z.strictObject({
  output: z.string().describe('name of the graph output, one number an image'),
  limit: z.number().describe('images above it are out of domain'),
  reason: z.string().min(1).describe('what such an image is, for people; the figure and the limit are added'),
});

const variantSchema = z.strictObject({
  graphs: z.strictObject({ score: fileName.describe('image (and prompt) to raw outputs') }),
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
    gpuVariant: z.string().optional().describe('variant for execution providers other than cpu'),
    variants: z.record(z.string(), variantSchema),
    files: z.record(
      fileName,
      z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) }),
    ),
    image: imageSchema,
    text: textSchema.nullable(),
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
      weights: z.record(z.string(), z.number().min(0)).describe('weight of each aspect in the reward'),
    }),
    maxBatch: z.int().min(1).describe('most images in one run'),
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

/** The first thing wrong with parsed JSON, in words: `image.width: expected number, received string`. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0]!;
  return `${issue.path.join('.') || 'top level'}: ${issue.message.replace(/^Invalid input: /, '')}`;
}

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
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw fail('MANIFEST_INVALID', { path, reason: describeIssue(parsed.error) });
  return parsed.data;
}

/** Reads the manifest of a model folder. @throws MANIFEST_INVALID, MODEL_FILE_MISSING */
export function readManifest(folder: string): ModelFolder {
  const manifest = readModelJson(folder, 'manifest.json', manifestSchema);
  const path = join(folder, 'manifest.json');
  const complain = (reason: string) => fail('MANIFEST_INVALID', { path, reason });
  for (const name of [manifest.defaultVariant, manifest.gpuVariant])
    if (name !== undefined && !(name in manifest.variants))
      throw complain(`variant "${name}" is not in variants`);
  for (const file of shippedFiles(manifest))
    if (!(file in manifest.files)) throw complain(`files has no entry for ${file}`);
  for (const [name, aspect] of Object.entries(manifest.aspects))
    if (aspect?.kind === 'distribution' && !aspect.levels)
      throw complain(`aspects.${name}.levels is missing`);
  return { folder, manifest };
}

function shippedFiles(m: Manifest): string[] {
  const graphs = Object.values(m.variants).map((v) => v.graphs.score);
  return [...graphs, m.calibration, m.golden, ...(m.text ? [m.text.tokenizer] : [])];
}

/** Hex sha256 of a file of the folder. @throws MODEL_FILE_MISSING */
export function hashFile({ folder }: ModelFolder, file: string): string {
  const path = join(folder, file);
  if (!existsSync(path)) throw fail('MODEL_FILE_MISSING', { folder, file });
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Compares files with the manifest's hashes. @throws MODEL_FILE_MISSING, MODEL_HASH_MISMATCH */
export function checkFiles(model: ModelFolder, files: string[]): void {
  for (const file of files) {
    const expected = model.manifest.files[file]?.sha256 ?? 'nothing';
    const found = hashFile(model, file);
    if (found !== expected)
      throw fail('MODEL_HASH_MISMATCH', { file: join(model.folder, file), expected, found });
  }
}

/** All files that one variant needs at run time; for tfjs, graph and weight shards. */
export function runtimeFiles(m: Manifest, variant: string): string[] {
  const graph = m.variants[variant]!.graphs.score;
  const shards = m.backend === 'tfjs' ? Object.keys(m.files).filter((f) => f.endsWith('.bin')) : [];
  return [graph, ...shards, m.calibration, ...(m.text ? [m.text.tokenizer] : [])];
}

/** `sha256:<hex>` that names the weights of a variant, from the manifest's hashes of its graph files. */
export function weightsHash(m: Manifest, variant: string): string {
  const hashes = runtimeFiles(m, variant)
    .filter((f) => f !== m.calibration && f !== m.text?.tokenizer)
    .map((f) => m.files[f]!.sha256);
  return `sha256:${hashes.length === 1 ? hashes[0] : createHash('sha256').update(hashes.join('\n')).digest('hex')}`;
}
