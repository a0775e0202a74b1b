/** Links to a fake of the family for tests: quick to notice, closed with the test. */
import { onTestFinished } from 'vitest';
import { createA1111Host } from '../../../../src/bridge/hosts/a1111/link/host.ts';
import type { Host } from '../../../../src/host.ts';
import { type FakeWebui, startFake } from '../../../support/a1111/fake.ts';
import { QUICK } from '../harness.ts';

type Options = Partial<Omit<Parameters<typeof createA1111Host>[0], 'url'>>;

export function connect(url: string, { tuning, ...options }: Options = {}): Host {
  const host = createA1111Host({ url, ...options, tuning: { ...QUICK, ...tuning } });
  onTestFinished(() => host.close());
  return host;
}

export async function fakeWithHost(
  changes: Parameters<typeof startFake>[0] = {},
  options: Options = {},
): Promise<{ webui: FakeWebui; host: Host }> {
  const webui = await startFake(changes);
  onTestFinished(() => webui.stop());
  return { webui, host: connect(webui.url, options) };
}

/** Somebody else's request, by plain HTTP. */
export const byOther = (url: string, body: object): Promise<Response> =>
  fetch(`${url}/sdapi/v1/txt2img`, {
    ...{ method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(20_000) },
    headers: { 'content-type': 'application/json' },
  });
