import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/cli/eval.ts';
import { html, Markup } from '../../src/page/html.ts';
import { failedResult, noisyScorer, type ScoreFunction, syntheticRows, writeSet } from './synthetic.ts';

const rows = syntheticRows(15);

/** Evaluates a set whose every text is hostile, and returns the path of its page. */
async function page(table: object[] = rows): Promise<string> {
  const base = noisyScorer(rows, 0.7);
  const score: ScoreFunction = async (items) =>
    (await base(items)).map((r, i) => {
      if (i === 5) return failedResult(r.id, 'IMAGE_CORRUPT', '<img src=x onerror=alert(1)>');
      return i === 9 ? { ...r, guards: [{ guard: 'blank' as const, message: '<svg onload=alert(2)>' }] } : r;
    });
  const set = writeSet(
    table,
    rows.map((r) => r.name),
  );
  await evaluate(set, { score });
  return join(set.out, 'report.html');
}

describe('html', () => {
  test('escapes texts in content and attributes, keeps markup, drops what is absent', () => {
    const text = `<&>"'`;
    const parts = [html`<i>${text}</i>`, null, false, undefined, 0] as const;
    expect(html`<p title="${text}">${parts}</p>`.text).toBe(
      '<p title="&lt;&amp;&gt;&quot;&#39;"><i>&lt;&amp;&gt;&quot;&#39;</i>0</p>',
    );
    expect(html`${new Markup('<b>')}`.text).toBe('<b>');
  });
});

test('no text from the data becomes markup', async () => {
  const text = readFileSync(await page(), 'utf8');
  expect(text.match(/<script|<img src=x|<b>bold|<svg onload/)).toBeNull();
  for (const escaped of ['gamma_&lt;b&gt;bold&lt;/b&gt;', '&lt;img src=x onerror=alert(1)&gt;'])
    expect(text.includes(escaped), escaped).toBe(true);
  expect(text.match(/NaN|undefined|Infinity|\[object/)).toBeNull();
});

test('the worst misses are shown as small pictures, within bounds', async () => {
  const set = writeSet(
    rows,
    rows.map((r) => r.name),
  );
  const url = (path: string) => `data:image/webp;base64,${Buffer.from(path).toString('base64')}`;
  const thumbnail = async (path: string) => (path.includes('g1') ? null : url(path));
  const report = await evaluate(set, { score: noisyScorer(rows, 0.7), thumbnail });
  const text = readFileSync(join(set.out, 'report.html'), 'utf8');
  const { scoredTooHigh, scoredTooLow } = report.worst.quality!;
  const shown = [...scoredTooHigh, ...scoredTooLow].filter(({ name }) => !name.includes('g1'));
  expect(shown.length).toBeGreaterThan(5);
  for (const { name } of shown) expect(text).toContain(`src="${url(join(set.images, 'images', name))}"`);
  expect(text.match(/<img/g)).toHaveLength(shown.length);

  const heavy = async (path: string) => `${url(path)}${'A'.repeat(400_000)}`;
  await evaluate(set, { score: noisyScorer(rows, 0.7), thumbnail: heavy });
  const bounded = readFileSync(join(set.out, 'report.html'), 'utf8');
  expect(bounded.match(/<img/g)).toHaveLength(3);
  expect(text).toContain('img-src data:');
});

const CANDIDATES = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'];
const browserPath = CANDIDATES.find((path) => path && existsSync(path));
const noBrowser = 'no Chromium: set CHROMIUM_PATH';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'];
ARGS.push('--disable-component-update', '--disable-sync');

/** Opens the file in a browser, wide or narrow, and tells what the browser saw. */
async function look(path: string, width: number) {
  const browser = await chromium.launch({ executablePath: browserPath!, args: ARGS });
  try {
    const tab = await browser.newPage({ viewport: { width, height: 800 } });
    const requests: string[] = [];
    const complaints: string[] = [];
    tab.on('request', (r) => requests.push(r.url()));
    tab.on('console', (m) => complaints.push(m.text()));
    tab.on('pageerror', (e) => complaints.push(e.message));
    await tab.goto(`file://${path}`);
    const seen = await tab.evaluate(IN_PAGE);
    return { requests, complaints, ...(seen as { plots: Plot[]; overflow: number; titles: string[] }) };
  } finally {
    await browser.close();
  }
}

interface Plot {
  label: string;
  marks: number;
  cut: string[];
}

/** As text, since the page's globals are none of Node's. A text is cut when it leaves the page or its figure's box. */
const IN_PAGE = `({
  plots: [...document.querySelectorAll('svg')].map((svg) => ({
    label: svg.getAttribute('aria-label'),
    marks: svg.querySelectorAll('[aria-label=dot] circle').length,
    cut: [...svg.querySelectorAll('text')].filter((t) => {
      const box = t.getBoundingClientRect();
      return box.left < 0 || box.right > innerWidth;
    }).map((t) => t.textContent),
  })),
  overflow: document.documentElement.scrollWidth - innerWidth,
  titles: [...document.querySelectorAll('figure h3')].map((h) => h.textContent),
})`;

describe('in a browser', () => {
  test.skipIf(!browserPath)(
    `every plot has marks, nothing is loaded, nothing complains (${browserPath ?? noBrowser})`,
    async () => {
      const path = await page();
      const { requests, complaints, plots, titles } = await look(path, 1200);
      expect(requests).toEqual([`file://${path}`]);
      expect(complaints).toEqual([]);
      expect(titles).toEqual([
        'Prediction against people',
        'Calibration',
        'Order inside generators',
        'Interval coverage by generator',
        'Best of N images of one prompt',
        'Best of N of one generator family',
      ]);
      expect(plots).toHaveLength(6 + 4);
      for (const { label, marks } of plots) expect(marks, label).toBeGreaterThan(1);
      expect(plots[0]!.marks).toBe(59);
    },
  );

  test.skipIf(!browserPath)(`a narrow window cuts nothing (${browserPath ?? noBrowser})`, async () => {
    const { plots, overflow } = await look(await page(), 390);
    expect(overflow).toBeLessThanOrEqual(0);
    for (const { label, cut } of plots) expect(cut, label).toEqual([]);
  });

  test.skipIf(!browserPath)(
    `a set of names and ratings only still has its plots (${browserPath ?? noBrowser})`,
    async () => {
      const bare = rows.map(({ name, mos_quality }) => ({ name, mos: mos_quality * 20 }));
      const { complaints, titles, plots } = await look(await page(bare), 1200);
      expect(complaints).toEqual([]);
      expect(titles).toEqual(['Prediction against people', 'Calibration']);
      for (const { label, marks } of plots) expect(marks, label).toBeGreaterThan(1);
    },
  );
});
