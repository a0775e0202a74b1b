/** What a person sees on the nodes, in a real browser on the page that a real ComfyUI serves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';
import { comfyui, noComfyui } from './comfyui.ts';
import { type Graph, gate, noisy, save } from './graphs.ts';

const CANDIDATES = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'];
const browserPath = CANDIDATES.find((path) => path && existsSync(path));
const reason = noComfyui ?? (browserPath ? undefined : 'no Chromium: set CHROMIUM_PATH');
if (reason) process.stdout.write(`the page of ComfyUI is not tried: ${reason}\n`);

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'];

const WORKFLOW: Graph = {
  ...noisy(4, 7, 64),
  gate: gate({ measure: 'MOS', threshold: 2.5, prompt: '<b id="bold">a cat</b>' }),
  best: {
    class_type: 'AssayBest',
    inputs: { images: ['images', 0], by: 'reward', k: 2, on_failure: 'pass' },
  },
  shelf: {
    class_type: 'AssayShelf',
    inputs: { images: ['images', 0], by: 'reward', k: 2, after: 0, reset: false, on_failure: 'pass' },
  },
  saved: save('gate', 0, 'accepted'),
  picked: save('best', 0, 'best'),
  score: { class_type: 'AssayScore', inputs: { images: ['images', 0] } },
  found: { class_type: 'AssayPrompt', inputs: { image: ['images', 0], override: '<img src=x id="evil">' } },
  shown: { class_type: 'PreviewAny', inputs: { source: ['found', 0] } },
};

/** The parts of the page's own objects that the test touches. */
interface PageApp {
  loadApiJson(graph: Graph, name: string): void;
  queuePrompt(number: number, count: number): Promise<boolean>;
  graph: { nodes: { comfyClass: string; widgets?: { name: string }[] }[] };
}
declare const window: { app?: PageApp };

async function open(url: string): Promise<Page> {
  const browser = await chromium.launch({ executablePath: browserPath!, args: ARGS });
  onTestFinished(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 2000, height: 1700 } });
  await page.goto(url);
  await page.waitForFunction(() => window.app?.graph !== undefined, undefined, { timeout: 60_000 });
  return page;
}

async function runWorkflow(page: Page, widget: string): Promise<void> {
  await page.evaluate(async (graph) => {
    window.app!.loadApiJson(graph, 'assay');
    await window.app!.queuePrompt(0, 1);
  }, WORKFLOW);
  const hasWidgets = (name: string) =>
    ['AssayGate', 'AssayBest', 'AssayScore', 'AssayShelf'].every((type) =>
      window.app!.graph.nodes.some(
        (node) => node.comfyClass === type && node.widgets?.some((w) => w.name === name),
      ),
    );
  await page.waitForFunction(hasWidgets, widget, { timeout: 60_000 });
}

/** Keeps a picture for a person where `ASSAY_SCREENSHOTS` names a folder. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.ASSAY_SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function daemon(): Promise<string> {
  const models = tempFolder();
  writeModel(models);
  const served = await serve(['--data-dir', tempFolder(), '--models', models, '--scorer', 'test-bright']);
  return served.url;
}

describe.skipIf(reason)('on the page of ComfyUI', { timeout: 180_000 }, () => {
  it.each([
    ['with the extension', false, 'assay_verdicts'],
    ['as plain text without it', true, '$$node-text-preview'],
  ])('the verdicts are seen %s', async (name, isWithoutPage, widget) => {
    const host = await comfyui({ daemon: await daemon(), isWithoutPage });
    const page = await open(host.url);
    await runWorkflow(page, widget);
    await picture(page, name.replaceAll(' ', '-'));
    const text = await page.locator('body').innerText();
    expect(text).toMatch(/accepted/);
    expect(text).toMatch(/best 1/);
    expect(await page.locator('#evil, #bold').count()).toBe(0);
  });
});
