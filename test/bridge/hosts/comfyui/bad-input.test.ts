/** Addresses that lead elsewhere, hosts that will not or cannot, and workflows that are none. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createComfyHost } from '../../../../src/bridge/hosts/comfyui/link/host.ts';
import { readWorkflow } from '../../../../src/bridge/hosts/comfyui/workflow/workflow.ts';
import { flatImages } from '../../../support/comfyui/graphs.ts';
import { connect, errorOf, fakeWithHost, follow, runOf, soon } from './harness.ts';

/** Some other service on a free port. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering = (status: number, body: string) =>
  serve((_request, response) => void response.writeHead(status).end(body));

describe('an address', () => {
  it.each(['', 'comfy', 'ftp://127.0.0.1:8188', '127.0.0.1:8188', 'file:///etc/passwd'])(
    'like "%s" is refused',
    (url) => {
      expect(() => createComfyHost({ url })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    },
  );

  it('where nothing listens is said so, soon', async () => {
    const { comfy, host } = await fakeWithHost();
    await comfy.down();
    const error = await errorOf(host.describe(soon()));
    expect(error.code).toBe('HOST_UNREACHABLE');
    expect(error.message).toContain(comfy.url);
    expect(error.message).toContain('ECONNREFUSED');
    expect((await errorOf(host.submit(flatImages(), soon()))).code).toBe('HOST_UNREACHABLE');
    expect((await errorOf(host.runs(soon()))).code).toBe('HOST_UNREACHABLE');
  });

  it.each([
    ['a page', 200, '<html><body>Welcome</body></html>', 'not JSON'],
    ['JSON of another service', 200, '{"status": "ok"}', 'another shape'],
    ['a list', 200, '[]', 'another shape'],
    ['nothing', 200, '', 'not JSON'],
    ['no such route', 404, 'not found', 'status 404'],
  ])('where another service answers with %s is told apart', async (_what, status, body, found) => {
    const error = await errorOf(connect(await answering(status, body)).describe(soon()));
    expect(error.code).toBe('HOST_UNKNOWN');
    expect(error.message).toContain(found);
  });

  it.each([401, 403])('behind a login (%i) is told apart', async (status) => {
    const host = connect(await answering(status, '<h1>Log in</h1>'));
    const submit = () => host.submit(flatImages(), soon());
    for (const attempt of [() => host.describe(soon()), submit, () => host.queued(soon())]) {
      const error = await errorOf(attempt());
      expect(error.code).toBe('HOST_DENIED');
      expect(error.message).toContain('Log in');
    }
  });

  it('may hold a path, and a login that is never shown', async () => {
    const { comfy } = await fakeWithHost({ prefix: '/behind/proxy' });
    const host = connect(`${comfy.url.replace('http://', 'http://me:se%20cret@')}/`);
    expect(host.url).toBe(comfy.url);
    expect((await runOf(host, flatImages())).images).toHaveLength(1);
    expect(comfy.hub.connections).toBe(1);
  });
});

describe('a host', () => {
  it.each([
    [null, 'does not tell'],
    ['0.3.63', 'older'],
    ['0.3.64', undefined],
    ['0.3.65', 'newer'],
    ['1.0.0', 'newer'],
    ['nightly', 'not of the known form'],
  ])('of version %s is taken', async (version, note) => {
    const { host } = await fakeWithHost({ version });
    const info = await host.describe(soon());
    expect(info.version).toBe(version);
    expect(info.notes).toHaveLength(note ? 1 : 0);
    if (note) expect(info.notes[0]).toContain(note);
  });

  it('that fails for a moment is asked again', async () => {
    const { comfy, host } = await fakeWithHost();
    let faults = 0;
    comfy.settings.fault = () => ([{ status: 503 }, 'reset'] as const)[faults++];
    expect((await host.describe(soon())).version).toBe('0.3.64');
    expect(faults).toBe(3);
  });

  it('that keeps failing is said so', async () => {
    const { comfy, host } = await fakeWithHost({ fault: () => ({ status: 500, body: 'out of disk' }) });
    const error = await errorOf(host.describe(soon()));
    expect(error.code).toBe('HOST_FAILED');
    expect(error.message).toContain('out of disk');
    expect(comfy.seen).toHaveLength(1);
  });

  it('that does not answer has a deadline', async () => {
    const { comfy, host } = await fakeWithHost({ fault: () => 'hang' }, { tuning: { requestMs: 100 } });
    const error = await errorOf(host.describe(soon()));
    expect(error.code).toBe('HOST_UNREACHABLE');
    expect(error.message).toContain('within 100 ms');
    expect(comfy.seen).toHaveLength(1);
  });

  it('that does not answer can be given up', async () => {
    const { host } = await fakeWithHost({ fault: () => 'hang' });
    const stop = new AbortController();
    const waits = [
      host.describe(stop.signal),
      host.submit(flatImages(), stop.signal),
      host.runs(stop.signal),
      host.cancel('x', stop.signal),
      host.changes(50, stop.signal)[Symbol.asyncIterator]().next(),
      host.follow('x', stop.signal)[Symbol.asyncIterator]().next(),
    ].map((wait) => expect(wait).rejects.toThrow('enough'));
    stop.abort(new Error('enough'));
    await Promise.all(waits);
  });

  it('that answers with too much is cut off', async () => {
    const { comfy, host } = await fakeWithHost({}, { limits: { maxBodyBytes: 5000, maxImageBytes: 100 } });
    comfy.settings.fault = (_method, path) =>
      path === '/prompt' ? { status: 200, body: JSON.stringify({ text: 'x'.repeat(6000) }) } : undefined;
    const error = await errorOf(host.submit(flatImages(), soon()));
    expect(error.message).toContain('bytes');
  });

  it('whose history is larger than an answer is read in smaller pages', async () => {
    const { comfy, host } = await fakeWithHost({}, { limits: { maxBodyBytes: 5000, maxImageBytes: 100 } });
    const text = (size: number) => ({ '9': { class_type: 'Text', inputs: { text: 'x'.repeat(size) } } });
    const added = Array.from({ length: 50 }, (_, i) =>
      comfy.addRun({ graph: text(i % 10 === 3 ? 3000 : 500) }),
    );
    expect((await host.runs(soon())).map((run) => run.id)).toEqual(added.map(({ id }) => id));
    expect(host.warnings.tooLarge).toBe(0);
  });

  it.each(['first', 'in the midst', 'last'])(
    'whose run is too large (%s) is told without that',
    async (place) => {
      const { comfy, host } = await fakeWithHost({}, { limits: { maxBodyBytes: 5000, maxImageBytes: 100 } });
      const huge = { '9': { class_type: 'Text', inputs: { text: 'x'.repeat(9000) } } };
      const at = { first: 0, 'in the midst': 12, last: 29 }[place];
      const added = Array.from({ length: 30 }, (_, i) => comfy.addRun(i === at ? { graph: huge } : {}));
      const ids = added.map(({ id }) => id).filter((_, i) => i !== at);
      expect((await host.runs(soon())).map((run) => run.id)).toEqual(ids);
      // What is asked again and again must not be read as a whole each time.
      comfy.seen.splice(0);
      for (let i = 0; i < 3; i++) expect((await host.runs(soon(), 8)).at(-1)!.id).toBe(ids.at(-1));
      expect(comfy.seen.length).toBeLessThan(30);
      expect(host.warnings.tooLarge).toBe(1);
    },
  );

  it('that refuses a large body says so', async () => {
    const { comfy, host } = await fakeWithHost();
    comfy.settings.fault = (method, path) =>
      method === 'POST' && path === '/prompt' ? { status: 413 } : undefined;
    const error = await errorOf(host.submit(flatImages(), soon()));
    expect(error.code).toBe('WORKFLOW_REJECTED');
    expect(error.message).toContain('larger');
  });
});

describe('a file', () => {
  it('of too many bytes is not fetched', async () => {
    const { comfy, host } = await fakeWithHost({}, { limits: { maxBodyBytes: 1e6, maxImageBytes: 1000 } });
    const { files } = comfy.addRun({ images: [Buffer.alloc(1000), Buffer.alloc(1001)] });
    expect(await host.fetchFile(files[0]!, soon())).toHaveLength(1000);
    const error = await errorOf(host.fetchFile(files[1]!, soon()));
    expect(error.code).toBe('IMAGE_TOO_HEAVY');
    expect(error.details).toEqual({ bytes: 1001, maxBytes: 1000 });
  });

  it('without an announced size is cut off, too', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(Buffer.alloc(10_000)), 1);
      response.on('close', () => clearInterval(timer));
    });
    const host = connect(url, { limits: { maxBodyBytes: 1e6, maxImageBytes: 50_000 } });
    const file = { filename: 'a.png', subfolder: '', type: 'output' } as const;
    expect((await errorOf(host.fetchFile(file, soon()))).code).toBe('IMAGE_TOO_HEAVY');
  });

  it('with a name full of signs is asked for by that name', async () => {
    const { comfy, host } = await fakeWithHost();
    const { files } = comfy.addRun({ images: [Buffer.from('bytes')], prefix: 'süß & [10%]/a+b=c?#' });
    expect(Buffer.from(await host.fetchFile(files[0]!, soon())).toString()).toBe('bytes');
  });
});

describe('a workflow', () => {
  const api = JSON.stringify(flatImages());

  it.each([
    ['bare', api],
    ['as the body of a request', `{"client_id": "x", "prompt": ${api}}`],
    ['with a byte order mark', `\uFEFF${api}`],
  ])('is read %s', (_how, text) => {
    expect(Object.keys(readWorkflow(text, 'it'))).toEqual(['1', '9']);
  });

  it('is read with the NaN that hosts write, and with its large numbers', () => {
    const text =
      '{"1": {"class_type": "A", "inputs": {"x": NaN, "text": "say NaN, \\"Infinity\\"", "y": -Infinity, "seed": 18446744073709551615}}}';
    expect(readWorkflow(text, 'it')['1']).toEqual({
      class_type: 'A',
      inputs: { x: null, text: 'say NaN, "Infinity"', y: null, seed: 18446744073709551615n },
    });
  });

  it('loses the fingerprint of an earlier run', () => {
    const text = '{"1": {"class_type": "A", "inputs": {}, "is_changed": [NaN], "_meta": {"title": "t"}}}';
    expect(readWorkflow(text, 'it')['1']).toEqual({ class_type: 'A', inputs: {}, _meta: { title: 't' } });
  });

  it('of the editor is told apart, with the way out', () => {
    const text =
      '{"last_node_id": 9, "nodes": [{"id": 1, "type": "EmptyImage"}], "links": [], "version": 0.4}';
    const error = catching(() => readWorkflow(text, 'my.json'));
    expect(error).toMatchObject({ code: 'WORKFLOW_UI_FORMAT', fix: expect.stringContaining('Export (API)') });
    expect(error.message).toContain('my.json');
  });

  it.each([
    ['', 'not JSON'],
    ['{"1": ', 'not JSON'],
    ['[]', 'not an object'],
    ['7', 'not an object'],
    ['{}', 'no nodes'],
    ['{"1": 5}', 'node "1" is not an object'],
    ['{"a:b": {"inputs": {}}}', 'node "a:b" has no usable class_type'],
    ['{"1": {"class_type": "A"}}', 'no usable inputs'],
    ['{"1": {"class_type": "A", "inputs": []}}', 'no usable inputs'],
    ['{"prompt": {}}', 'no nodes'],
  ])('like %s is none', (text, reason) => {
    const error = catching(() => readWorkflow(text, 'it'));
    expect(error.code).toBe('WORKFLOW_INVALID');
    expect(error.message).toContain(reason);
  });

  it('is checked before it is sent', async () => {
    const { comfy, host } = await fakeWithHost();
    expect((await errorOf(host.submit({ nodes: [], links: [] }, soon()))).code).toBe('WORKFLOW_UI_FORMAT');
    expect((await errorOf(host.submit({ 1: {} }, soon()))).code).toBe('WORKFLOW_INVALID');
    expect(comfy.seen).toEqual([]);
  });
});

it('a run that nobody knows is lost', async () => {
  const { comfy, host } = await fakeWithHost();
  const error = await errorOf(follow(host, 'never'));
  expect(error.code).toBe('PROMPT_LOST');
  expect(error.message).toContain(comfy.url);
});

function catching(act: () => unknown): Error & { code: string; fix: string } {
  try {
    act();
  } catch (error) {
    return error as Error & { code: string; fix: string };
  }
  throw new Error('nothing was thrown');
}
