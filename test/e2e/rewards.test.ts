/** Rewards end to end: the real command, real sockets, real graphs, a real database. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import { createLog } from '../../src/log.ts';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { picture } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
type Json = any;

const packr = new Packr({ useRecords: false });

/** Two scorers, and a config with profiles over them. */
function setUp(rewards: object): string[] {
  const folder = tempFolder();
  const models = join(folder, 'models');
  writeModel(models);
  writeModel(models, { id: 'test-words', text: true });
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ rewards }));
  return [
    '--config',
    config,
    '--models',
    models,
    '--scorer',
    'test-bright',
    '--data-dir',
    join(folder, 'data'),
  ];
}

const mix = {
  terms: [
    { name: 'bright', aspect: 'quality', weight: 2 },
    { name: 'fits', scorer: 'test-words', aspect: 'alignment', scale: 'raw' },
  ],
};

let shade = 0;
const raw = () => {
  const { data, width, height } = picture(64, 64);
  data[0] = ++shade;
  return { format: 'rgb8', width, height, data };
};

async function post(url: string, body: object, headers: Record<string, string> = {}): Promise<Json> {
  const type = 'application/msgpack';
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': type, ...headers },
    body: packr.pack(body),
  });
  return answer.json();
}

it('a profile of the config asks two scorers, says what each said, and records both', async () => {
  const { url, stop } = await serve(setUp({ profile: 'mix', profiles: { mix } }));
  const prompt = 'a cat a cat a cat a cat a cat'; // 12 tokens of 8
  const items = [
    { id: 'a', group: 'g', prompt: 'a cat', image: raw() },
    { id: 'b', group: 'g', prompt, image: raw() },
  ];
  const { results, groups, scorers, profile } = await post(`${url}/v1/rewards`, { items, advantage: 'rank' });
  expect([profile.name, scorers.map((s: Json) => s.id)]).toEqual(['mix', ['test-bright', 'test-words']]);
  for (const { components, reward } of results) {
    const { bright, fits } = components;
    const { score, range, raw, spread } = bright.aspects.quality;
    expect(bright.value).toBeCloseTo((score - range[0]) / (range[1] - range[0]), 9);
    expect([raw, spread]).toEqual([expect.closeTo(score, 5), 0.5]);
    expect(reward).toBeCloseTo(2 * bright.value + fits.aspects.alignment.raw, 9);
  }
  expect(results.map((r: Json) => [r.truncated, r.components.fits.value])).toEqual([
    [false, 2],
    [true, 4],
  ]);
  expect(results.map((r: Json) => r.advantage)).toEqual([-1, 1]);
  expect(groups).toMatchObject([{ group: 'g', count: 2, used: 2, zeroVariance: false }]);
  const { entries }: Json = await (await fetch(`${url}/v1/history?limit=10`)).json();
  expect(entries.map((e: Json) => [e.result.scorer.id, e.result.id, e.result.group]).sort()).toEqual(
    ['test-bright', 'test-words'].flatMap((id) => [
      [id, 'a', 'g'],
      [id, 'b', 'g'],
    ]),
  );
  expect(await stop()).toBe(0);
});

it('requests in flight when the daemon is killed end in a value when they are sent again, and are recorded once', async () => {
  const args = setUp({});
  const first = await serve(args);
  const requests = Array.from({ length: 60 }, (_, i) => ({
    key: `step-${i}`,
    body: {
      items: [
        { id: `${i}`, image: raw() },
        { id: `${i}b`, image: raw() },
      ],
    },
  }));
  const send = (url: string, { key, body }: (typeof requests)[number]) =>
    post(`${url}/v1/rewards`, body, { 'idempotency-key': key });
  const early = requests.map((request, i) =>
    send(first.url, request).then(
      (answer) => {
        if (i === 10) first.child.kill('SIGKILL');
        return answer;
      },
      () => null,
    ),
  );
  expect((await Promise.all(early)).filter((answer) => answer === null).length).toBeGreaterThan(0);
  const { url } = await serve(args);
  const answers = await Promise.all(requests.map((request) => send(url, request)));
  expect(answers.flatMap(({ results }) => results.map((r: Json) => r.reward !== null))).toEqual(
    Array(120).fill(true),
  );
  const { entries }: Json = await (await fetch(`${url}/v1/history?limit=500`)).json();
  expect(entries).toHaveLength(120);
});

async function saidAtTheStart(settings: object): Promise<string[]> {
  const folder = tempFolder();
  writeModel(folder);
  const config = loadConfig(
    { port: 0, dataDir: folder, modelDirs: [folder], scorer: 'test-bright', ...settings },
    undefined,
    {},
  );
  const lines: string[] = [];
  const log = createLog('silent');
  log.warn = ((line: unknown, text?: string) => lines.push(text ?? String(line))) as never;
  const daemon = await startDaemon({ config, version: '0', log });
  await daemon.ready;
  await daemon.close();
  return lines;
}

it('what a profile of the config cannot do is said at the start', async () => {
  const terms = [{ aspect: 'alignment' }, { scorer: 'test-brigth' }];
  const lines = await saidAtTheStart({ rewards: { profile: 'mx', profiles: { mix: { terms } } } });
  expect(lines).toEqual(
    expect.arrayContaining([
      'rewards.profile: there is no profile "mx"',
      'rewards.profiles.mix.terms.0: test-bright does not predict alignment, so no image gets a reward',
      expect.stringContaining(
        'rewards.profiles.mix.terms.1: no scorer "test-brigth" (did you mean "test-bright"?)',
      ),
    ]),
  );
});

it.each([
  [{ heldOut: 'test-brigth' }, /^monitor.heldOut: no scorer "test-brigth" \(did you mean "test-bright"\?\)/],
  [
    { heldOut: 'test-bright', aspect: 'alignment' },
    /^monitor.heldOut: test-bright does not predict alignment/,
  ],
  [
    { heldOut: 'test-bright' },
    /^monitor.heldOut: test-bright is a part of the reward of the profile default/,
  ],
  [{ aspect: 'quality' }, /^monitor.aspect does nothing without monitor.heldOut/],
])('a held-out scorer that is none is told at the start: %j', async (monitor, expected) => {
  expect(await saidAtTheStart({ monitor })).toContainEqual(expect.stringMatching(expected));
});

const hasNumpy = (() => {
  try {
    execFileSync('python3', ['-c', 'import numpy'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

it.skipIf(!hasNumpy)('an array that numpy saved comes from a few lines of Python', async () => {
  const { url } = await serve(setUp({}));
  const script = `
import io, json, sys, urllib.request
import numpy as np
body = io.BytesIO()
body.write(json.dumps({"items": [{"id": "dark"}, {"id": "light"}], "profile": {"terms": [{"aspect": "quality"}], "guards": []}}).encode() + b"\\n")
np.save(body, np.stack([np.full((64, 64, 3), value, np.uint8) for value in (51, 204)]))
request = urllib.request.Request("${url}/v1/rewards", body.getvalue(), {"Content-Type": "application/x-npy"})
print(urllib.request.urlopen(request).read().decode())`;
  const { results } = JSON.parse(execFileSync('python3', ['-c', script], { encoding: 'utf8' }));
  expect(results.map((r: Json) => [r.id, Math.round(r.reward * 100) / 100])).toEqual([
    ['dark', 0.2],
    ['light', 0.8],
  ]);
});
