/** Workflows as people draw them, on a real ComfyUI: what is saved, and that nothing is lost without a word. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serve } from '../support/cli.ts';
import { type RealHost, TEST_PACK } from '../support/comfyui/real.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import { comfyui, noComfyui } from './comfyui.ts';
import { run } from './drive.ts';
import { type Graph, gate, save } from './graphs.ts';

if (noComfyui) process.stdout.write(`the flows are not tried inside ComfyUI: ${noComfyui}\n`);

type Link = [node: string, output: number];
const node = (class_type: string, inputs: Record<string, unknown>): Graph[string] => ({ class_type, inputs });

const SIZE = 128;
/** A batch of soft noise around a grey; what follows reads `[name, 0]`. */
const soft = (name: string, count: number, color: number): Graph => ({
  [`${name}-grey`]: node('EmptyImage', { width: 8, height: 8, batch_size: count, color }),
  [`${name}-noise`]: node('ImageAddNoise', { image: [`${name}-grey`, 0], seed: color, strength: 0.15 }),
  [name]: enlarged([`${name}-noise`, 0]),
});
const enlarged = (image: Link): Graph[string] =>
  node('ImageScale', { image, upscale_method: 'bilinear', width: SIZE, height: SIZE, crop: 'disabled' });
const join2 = (image1: Link, image2: Link) => node('ImageBatch', { image1, image2 });
const best = (images: Link, changes: object = {}) =>
  node('AssayBest', { images, by: 'reward', k: 1, on_failure: 'pass', ...changes });
const singles = (images: Link) => node('RebatchImages', { images, batch_size: 1 });

/** Five bright images between three dark ones; a MOS of 2.5 lies between. */
const EIGHT: Graph = {
  ...soft('dark', 3, 0x303030),
  ...soft('light', 5, 0xc0c0c0),
  images: join2(['dark', 0], ['light', 0]),
};
const strict = (images: Link = ['images', 0], changes: object = {}) =>
  gate({ images, measure: 'MOS', threshold: 2.5, ...changes });

interface Flow {
  graph: Graph;
  /** Files of each saver. */
  saved: Record<string, number>;
  /** Part of what a node says. */
  says?: Record<string, RegExp>;
}

const saveAs = (name: string, images: Link): Graph => ({ [name]: save(images[0], images[1], name) });

const FLOWS: Record<string, Flow> = {
  'Gate → Best': {
    graph: { gate: strict(), best: best(['gate', 0]), ...saveAs('kept', ['best', 0]) },
    saved: { kept: 1 },
    says: { gate: /^8 images: 5 accepted, 3 rejected/, best: /^5 images: 1 chosen by reward/ },
  },
  'Gate → upscale → Best': {
    graph: {
      gate: strict(),
      up: enlarged(['gate', 0]),
      best: best(['up', 0], { k: 2 }),
      ...saveAs('kept', ['best', 0]),
    },
    saved: { kept: 2 },
  },
  'Gate → Gate → Best of a list': {
    graph: {
      list: singles(['images', 0]),
      gate: strict(['list', 0]),
      again: strict(['gate', 0], { measure: 'reward', threshold: 0 }),
      best: best(['again', 0], { k: 9 }),
      ...saveAs('kept', ['best', 0]),
    },
    saved: { kept: 5 },
    says: { best: /^5 images: 5 of 9 wanted chosen/ },
  },
  'Best → Gate': {
    graph: { best: best(['images', 0], { k: 6 }), gate: strict(['best', 0]), ...saveAs('kept', ['gate', 0]) },
    saved: { kept: 5 },
  },
  'Gate → Score': {
    graph: {
      gate: strict(),
      score: node('AssayScore', { images: ['gate', 0] }),
      ...saveAs('kept', ['score', 0]),
    },
    saved: { kept: 5 },
    says: { score: /^5 images/ },
  },
  'Gate and a batch → ImageBatch': {
    graph: { gate: strict(), both: join2(['gate', 0], ['dark', 0]), ...saveAs('kept', ['both', 0]) },
    saved: { kept: 8 },
  },
  'two Gates → ImageBatch': {
    graph: {
      one: strict(),
      two: strict(['light', 0]),
      both: join2(['one', 0], ['two', 0]),
      ...saveAs('kept', ['both', 0]),
    },
    saved: { kept: 10 },
  },
  'both branches → ImageBatch': {
    graph: { gate: strict(), both: join2(['gate', 1], ['gate', 0]), ...saveAs('kept', ['both', 0]) },
    saved: { kept: 8 },
  },
  'Gate → RebatchImages': {
    graph: {
      gate: strict(),
      two: node('RebatchImages', { images: ['gate', 0], batch_size: 2 }),
      ...saveAs('kept', ['two', 0]),
    },
    saved: { kept: 5 },
  },
  'Gate → PreviewImage and SaveAnimatedWEBP': {
    graph: {
      gate: strict(),
      seen: node('PreviewImage', { images: ['gate', 0] }),
      moving: node('SaveAnimatedWEBP', {
        images: ['gate', 0],
        ...{ filename_prefix: 'moving', fps: 6, lossless: true, quality: 80, method: 'default' },
      }),
    },
    saved: { seen: 5, moving: 1 },
  },
  'all rejected': {
    graph: { gate: strict(['dark', 0]), best: best(['gate', 0]), ...saveAs('kept', ['best', 0]) },
    saved: { kept: 0 },
    says: { gate: /^0 of 3 passed, and what is connected to `accepted` does not run/ },
  },
  'masks, latents, prompts and places go along': {
    graph: {
      masks: node('ImageToMask', { image: ['images', 0], channel: 'red' }),
      latents: node('EmptyLatentImage', { width: SIZE, height: SIZE, batch_size: 8 }),
      gate: strict(['images', 0], { masks: ['masks', 0], latents: ['latents', 0], prompt: 'soft light' }),
      shown: node('MaskToImage', { mask: ['gate', 4] }),
      ...saveAs('of-accepted', ['shown', 0]),
      dull: node('MaskToImage', { mask: ['gate', 8] }),
      ...saveAs('of-rejected', ['dull', 0]),
      masked: node('SetLatentNoiseMask', { samples: ['gate', 5], mask: ['gate', 4] }),
      latent: node('SaveLatent', { samples: ['masked', 0], filename_prefix: 'latent' }),
      prompts: node('PreviewAny', { source: ['gate', 6] }),
      places: node('PreviewAny', { source: ['gate', 7] }),
    },
    saved: { 'of-accepted': 5, 'of-rejected': 3 },
    says: { prompts: /^(soft light\s*){5}$/, places: /^3\s+4\s+5\s+6\s+7$/ },
  },
  'each image under a name of its own': {
    graph: {
      gate: strict(['images', 0], { prompt: 'soft' }),
      name: node('StringConcatenate', { string_a: 'place', string_b: ['gate', 6], delimiter: '-' }),
      kept: node('SaveImage', { images: ['gate', 0], filename_prefix: ['name', 0] }),
    },
    saved: { kept: 5 },
  },
  'a list from elsewhere stays in step': {
    graph: {
      gate: strict(),
      names: node('AssayTestNames', { prefix: 'image', count: 8 }),
      kept: node('SaveImage', { images: ['gate', 0], filename_prefix: ['names', 0] }),
    },
    saved: { kept: 5 },
  },
  'a list from elsewhere in front of Best': {
    graph: {
      gate: strict(),
      names: node('AssayTestNames', { prefix: 'image', count: 8 }),
      kept: node('SaveImage', { images: ['gate', 0], filename_prefix: ['names', 0] }),
      best: best(['gate', 0]),
    },
    saved: { kept: 5 },
    says: { gate: /AssayBest behind `accepted` does not run: another list meets/ },
  },
  'Best by alignment without a prompt': {
    graph: { best: best(['images', 0], { by: 'alignment' }), ...saveAs('kept', ['best', 0]) },
    saved: { kept: 8 },
    says: { best: /none can be ranked by alignment, all go on as they came.*no alignment without a prompt/s },
  },
  'the prompt is found in the workflow': {
    graph: {
      words: node('AssayTestEncode', { text: 'soft (blots:1.2) of colour' }),
      unwanted: node('AssayTestEncode', { text: 'a face' }),
      made: node('AssayTestSample', { positive: ['words', 0], negative: ['unwanted', 0], seed: 1 }),
      gate: strict(['made', 0]),
      ...saveAs('kept', ['gate', 0]),
      texts: node('PreviewAny', { source: ['gate', 6] }),
      found: node('AssayPrompt', { image: ['gate', 0] }),
      text: node('PreviewAny', { source: ['found', 0] }),
    },
    saved: { kept: 1 },
    says: {
      gate: /\nprompt: soft blots of colour – from workflow node words \(AssayTestEncode\)/,
      texts: /^soft \(blots:1\.2\) of colour$/,
      found: /^prompt from workflow node words \(AssayTestEncode\)/,
      text: /^soft blots of colour$/,
    },
  },
  'a blend of pictures of two prompts': {
    graph: {
      words: node('AssayTestEncode', { text: 'soft blots' }),
      others: node('AssayTestEncode', { text: 'hard lines' }),
      made: node('AssayTestSample', { positive: ['words', 0], negative: ['others', 0], seed: 1 }),
      besides: node('AssayTestSample', { positive: ['others', 0], negative: ['words', 0], seed: 2 }),
      blend: node('ImageBlend', {
        ...{ image1: ['made', 0], image2: ['besides', 0], blend_factor: 0.5, blend_mode: 'normal' },
      }),
      gate: strict(['blend', 0]),
      found: node('AssayPrompt', { image: ['blend', 0] }),
      text: node('PreviewAny', { source: ['found', 0] }),
      ...saveAs('all', ['blend', 0]),
      ...saveAs('kept', ['gate', 0]),
    },
    saved: { all: 1 },
    says: {
      gate: /\nprompt \(uncertain\): soft blots, hard lines – from workflow nodes words .* – node blend \(ImageBlend\)/,
      found: /^prompt \(uncertain\) from workflow nodes words .* – node blend \(ImageBlend\)/,
    },
  },
  'masks of a detector that found nothing': {
    graph: {
      nothing: node('AssayTestOdd', { mode: 'an empty batch' }),
      masks: node('ImageToMask', { image: ['nothing', 0], channel: 'red' }),
      gate: strict(['images', 0], { masks: ['masks', 0] }),
      ...saveAs('kept', ['gate', 0]),
      shown: node('MaskToImage', { mask: ['gate', 4] }),
      ...saveAs('of-accepted', ['shown', 0]),
    },
    saved: { kept: 5, 'of-accepted': 0 },
    says: { gate: /^8 images: 5 accepted, 3 rejected \(no masks came, and what takes them from here/ },
  },
  'the prompt in front of a Gate that holds all back': {
    graph: {
      gate: strict(['dark', 0]),
      found: node('AssayPrompt', { image: ['gate', 0] }),
      text: node('PreviewAny', { source: ['found', 0] }),
    },
    saved: {},
    says: { found: /^no prompt: / },
  },
};

/** `isUnsavable`: the host's own SaveImage fails on it. */
const ODD: Record<string, { accepted: number; says: RegExp; isUnsavable?: true }> = {
  'an empty list': { accepted: 0, says: /^0 images/ },
  none: { accepted: 0, says: /^0 images.*1 empty entry left out/ },
  'nones among images': { accepted: 2, says: /^2 images.*2 empty entries left out/ },
  'an empty batch': { accepted: 0, says: /^0 images/ },
  'nan in half of one': { accepted: 1, says: /#1.*\[IMAGE_VALUES\]/ },
  '0 to 255': { accepted: 1, says: /#1.*\[IMAGE_VALUES\]/ },
  '-1 to 1': { accepted: 1, says: /#1.*\[IMAGE_VALUES\]/ },
  'two channels': { accepted: 1, says: /#1.*\[IMAGE_SHAPE\]/ },
  alpha: { accepted: 2, says: /^2 images/ },
  bfloat16: { accepted: 2, says: /^2 images/, isUnsavable: true },
  float16: { accepted: 2, says: /^2 images/ },
  'not contiguous': { accepted: 2, says: /^2 images/ },
  'too large': { accepted: 2, says: /#1.*\[BODY_TOO_LARGE\]/ },
};

/** On a socket and with a token, as on a machine that others use. */
async function started(): Promise<RealHost> {
  const folder = tempFolder();
  writeModel(join(folder, 'models'));
  const [config, token] = [join(folder, 'config.json'), join(folder, 'token')];
  writeFileSync(config, JSON.stringify({ limits: { maxBodyBytes: 8e6 } }));
  writeFileSync(token, 'long-enough\n', { mode: 0o600 });
  const model = ['--models', join(folder, 'models'), '--scorer', 'test-bright'];
  const place = process.platform === 'win32' ? [] : ['--socket', join(folder, 's')];
  const own = ['--data-dir', folder, '--config', config, '--token-file', token];
  const daemon = await serve([...own, ...model, ...place]);
  return comfyui({ daemon: daemon.url, packs: [TEST_PACK], env: { ASSAY_TOKEN_FILE: token } });
}

describe.skipIf(noComfyui)('drawn in ComfyUI', { timeout: 240_000 }, () => {
  it('what is accepted is saved, and every node says what it did', async () => {
    const host = await started();

    for (const [name, { graph, saved, says = {} }] of Object.entries(FLOWS)) {
      const { status, outputs } = await run(host, { ...EIGHT, ...graph });
      expect.soft(status.status_str, name).toBe('success');
      const counts = Object.keys(saved).map((id) => [id, outputs[id]?.images?.length ?? 0]);
      expect.soft(Object.fromEntries(counts), name).toEqual(saved);
      for (const [id, words] of Object.entries(says))
        expect.soft(outputs[id]?.text?.join('\n'), `${name}: ${id}`).toMatch(words);
    }

    for (const [mode, { accepted, says, isUnsavable }] of Object.entries(ODD)) {
      const images: Link = ['odd', 0];
      const { status, outputs } = await run(host, {
        odd: node('AssayTestOdd', { mode }),
        gate: gate({ images, threshold: 0, on_failure: 'block' }),
        kept: node('PreviewAny', { source: ['gate', 7] }),
        best: best(images, { k: 9, on_failure: 'block' }),
        chosen: node('PreviewAny', { source: ['best', 3] }),
        ...(!isUnsavable && saveAs('saved', ['gate', 0])),
        score: node('AssayScore', { images }),
        number: node('PreviewAny', { source: ['score', 1] }),
        found: node('AssayPrompt', { image: images }),
        text: node('PreviewAny', { source: ['found', 0] }),
      });
      expect.soft(status.status_str, mode).toBe('success');
      const counts = ['kept', 'chosen'].map((id) => outputs[id]?.text?.length ?? 0);
      expect.soft(counts, mode).toEqual([accepted, accepted]);
      if (!isUnsavable) expect.soft(outputs.saved?.images?.length ?? 0, mode).toBe(accepted);
      for (const id of ['gate', 'best', 'score'])
        expect.soft(outputs[id]?.text?.join('\n'), `${mode}: ${id}`).toMatch(says);
    }
  });
});
