/** What nodes tell of their files, and which node made them. */
import { describe, expect, it } from 'vitest';
import { shownBy } from '../../../../src/bridge/hosts/comfyui/link/shown.ts';
import { makerOf } from '../../../../src/bridge/hosts/comfyui/workflow/maker.ts';
import { fakeWithHost, soon } from './harness.ts';

const file = (filename: string, more: object = {}) => ({ filename, subfolder: '', type: 'output', ...more });
const shown = (output: unknown) => {
  const { files, left } = shownBy(output);
  return [files.map((f) => f.filename), left.map(({ name, reason }) => `${name}: ${reason}`)];
};

describe('files', () => {
  it.each([
    ['images', [file('a.png'), file('b.jpg')]],
    ['gifs', [file('a.png'), file('b.jpg')]],
    ['result', [file('a.png'), null, 'text', 7, ['x'], file('b.jpg'), { filename: 3 }]],
    [
      'images_',
      [file('a.png', { subfolder: undefined, type: undefined }), file('b.jpg', { format: 'image/png' })],
    ],
  ])('are found under %s', (key, list) => {
    expect(shown({ text: ['words'], value: [1], [key]: list })).toEqual([['a.png', 'b.jpg'], []]);
  });

  it('told under two names are one', () => {
    expect(shown({ images: [file('a.png')], a_images: [file('a.png')] })).toEqual([['a.png'], []]);
  });

  it.each([
    [{ gifs: [file('a.mp4', { format: 'video/h264-mp4' })] }, 'a.mp4: a video'],
    [{ gifs: [file('a.gif', { format: 'image/gif' })] }, 'a.gif: animated'],
    [{ images: [file('a.webp')], animated: [true] }, 'a.webp: animated'],
    [{ audio: [file('a.flac')] }, 'a.flac: a sound'],
    [{ latents: [file('a.latent')] }, 'a.latent: no image'],
    [{ '3d': [file('mesh.glb')] }, 'mesh.glb: no image'],
    [{ images: [file('a.png', { type: 'blake3' })] }, 'a.png: of the unknown type "blake3"'],
    [{ images: [file('a.png', { type: 7 })] }, undefined],
  ])('%j', (output, left) => {
    expect(shown(output)).toEqual([left ? [] : ['a.png'], left ? [left] : []]);
  });

  it('of an unknown place are left alone in the output folder, too', () => {
    const told = { ...file('a.png', { type: 'cloud', subfolder: 'k' }) };
    expect(shownBy({ images: [told] }).left[0]!.file).toEqual({ ...told, type: 'output' });
  });

  it.each([null, 'text', [], { images: 'text' }, { images: { filename: 'a.png' } }])(
    'nothing in %j',
    (output) => {
      expect(shown(output)).toEqual([[], []]);
    },
  );

  it('come out of a history with their node', async () => {
    const { comfy, host } = await fakeWithHost();
    const { id } = comfy.addRun({ images: [Buffer.from('x')] });
    const entry = comfy.history.get(id)!;
    entry.prompt[2] = {
      '7': { class_type: 'MaskToImage', inputs: { mask: ['6', 0] } },
      '9': { class_type: 'SaveImage', inputs: { images: ['7', 0] }, _meta: { title: 'Save mask' } },
    };
    entry.outputs['9']!.video = [file('clip.mp4')];
    const [run] = await host.runs(soon());
    expect(run!.images[0]!.maker).toEqual({ type: 'SaveImage', title: 'Save mask', map: 'a mask' });
    expect(run!.left).toMatchObject([{ name: 'clip.mp4', node: '9', reason: 'a video' }]);
  });
});

describe('the node that made an image', () => {
  const graph = (source: string, ...passing: string[]) => {
    const chain = ['SaveImage', ...passing, source];
    return Object.fromEntries(
      chain.map((class_type, i) => [`${i}`, { class_type, inputs: { image: [`${i + 1}`, 0], amount: 3 } }]),
    );
  };

  it.each([
    ['MaskToImage', 'a mask'],
    ['Mask To Image (mtb)', 'a mask'],
    ['Convert Masks to Images', 'a mask'],
    ['Image Threshold', 'a mask'],
    ['DepthCrafter', 'a depth map'],
    ['DepthPro', 'a depth map'],
    ['DepthAnythingV2Preprocessor', 'a depth map'],
    ['MiDaS-DepthMapPreprocessor', 'a depth map'],
    ['DownloadAndLoadDepthAnythingV2Model', 'a depth map'],
    ['Canny', 'an edge map'],
    ['CannyEdgePreprocessor', 'an edge map'],
    ['LineArtPreprocessor', 'an edge map'],
    ['BAE-NormalMapPreprocessor', 'a normal map'],
    ['DWPreprocessor', 'a pose'],
    ['ColorPreprocessor', 'a control picture'],
    ['OpenposePreprocessor', 'a pose'],
    ['VAEDecode', null],
    ['LoadImage', null],
    ['ImageCompositeMasked', null],
    ['MaskedDetailer', null],
  ])('%s makes %s', (source, map) => {
    expect(makerOf(graph(source), '0').map).toBe(map);
    expect(makerOf(graph(source, 'ImageScale', 'Reroute', 'ImageInvert'), '0').map).toBe(map);
    expect(makerOf(graph(source, 'ImageBlur', 'ImageQuantize', 'ImageSharpen', 'SomeTint'), '0').map).toBe(
      map,
    );
  });

  it.each<[does: string, inputs: object, map: string | null]>([
    ['upscales it with a model', { upscale_model: ['8', 0], image: ['2', 0] }, 'a mask'],
    ['gives it an alpha', { image: ['2', 0], alpha: ['8', 0] }, 'a mask'],
    ['has an input of its own name', { anything: ['2', 0], amount: 2 }, 'a mask'],
    ['blends it with another', { image1: ['2', 0], image2: ['8', 0], blend_factor: 0.5 }, null],
    ['composes it with another', { destination: ['8', 0], source: ['2', 0], x: 0 }, null],
    ['is guided by it', { control_image: ['2', 0], prompt: 'a fox' }, null],
    ['details it', { image: ['2', 0], model: ['8', 0], positive: ['8', 1] }, null],
    ['decodes', { samples: ['2', 0], vae: ['8', 0] }, null],
  ])('a node that %s', (_, inputs, map) => {
    const nodes = {
      '0': { class_type: 'SaveImage', inputs: { images: ['1', 0], filename_prefix: 'x' } },
      '1': { class_type: 'SomeNode', inputs },
      '2': { class_type: 'MaskToImage', inputs: { mask: ['8', 1] } },
      '8': { class_type: 'LoadImage', inputs: { image: 'a.png' } },
    };
    expect(makerOf(nodes, '0').map).toBe(map);
  });

  it('is not known of what is no graph', () => {
    for (const odd of [null, 'x', {}, { '0': null }, { '0': { inputs: { image: ['0', 0] } } }])
      expect(makerOf(odd, '0')).toEqual({ type: null, title: null, map: null });
    const loop = { '0': { class_type: 'Reroute', inputs: { image: ['0', 0] } } };
    expect(makerOf(loop, '0')).toEqual({ type: 'Reroute', title: null, map: null });
    expect(makerOf(graph('MaskToImage'), '0.0.1').type).toBe('SaveImage');
  });
});
