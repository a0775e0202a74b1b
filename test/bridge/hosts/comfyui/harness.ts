/** Host clients for tests: quick to notice, closed with the test. */
import { onTestFinished } from 'vitest';
import { createComfyHost } from '../../../../src/bridge/hosts/comfyui/link/host.ts';
import type { Host } from '../../../../src/host.ts';
import { type FakeHost, startFake } from '../../../support/comfyui/fake.ts';
import { QUICK } from '../harness.ts';

export { endOf, errorOf, follow, runOf, soon, until } from '../harness.ts';

type Options = Partial<Omit<Parameters<typeof createComfyHost>[0], 'url'>>;

export function connect(url: string, { tuning, ...options }: Options = {}): Host {
  const host = createComfyHost({ url, ...options, tuning: { ...QUICK, ...tuning } });
  onTestFinished(() => host.close());
  return host;
}

export async function fakeWithHost(
  fakeOptions: Parameters<typeof startFake>[0] = {},
  options: Options = {},
): Promise<{ comfy: FakeHost; host: Host }> {
  const comfy = await startFake(fakeOptions);
  onTestFinished(() => comfy.stop());
  return { comfy, host: connect(comfy.url, options) };
}
