/** Prompts of the images of a run: whoever makes the host says how they are found. */
import { expect, it } from 'vitest';
import { findInMade } from '../../../../src/prompt/made.ts';
import { fakeWithHost, soon } from './harness.ts';

const graph = {
  '3': { class_type: 'KSampler', inputs: { positive: ['6', 0] } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: 'a red fox' } },
  '9': { class_type: 'SaveImage', inputs: { images: ['3', 0] } },
};

it('come with the images, and are not looked for unless asked', async () => {
  const { comfy, host } = await fakeWithHost({}, { findPrompt: findInMade });
  comfy.addRun({ images: [Buffer.from('x')], graph });
  expect((await host.runs(soon()))[0]!.images[0]!.prompt).toMatchObject({
    prompt: 'a red fox',
    from: 'workflow node 6 (CLIPTextEncode)',
  });
  const other = await fakeWithHost();
  other.comfy.addRun({ images: [Buffer.from('x')], graph });
  expect((await other.host.runs(soon()))[0]!.images[0]!.prompt).toBeNull();
});
