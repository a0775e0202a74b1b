/** The nodes as data: what a saved workflow relies on, and what a person reads. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors/table.ts';
import { definitions, NODES, PANEL, panelDefinitions } from '../../src/nodes/index.ts';
import { PACK } from './comfyui.ts';

const twice = (names: readonly string[]): string[] => names.filter((name, i) => names.indexOf(name) !== i);

describe('the nodes for ComfyUI', () => {
  it('are written to the pack', () => {
    const written = JSON.parse(readFileSync(join(PACK, 'definitions.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(definitions())));
  });

  it.each(NODES.map((node) => [node.id, node] as const))('%s is complete', (id, node) => {
    expect(id).toMatch(/^Assay[A-Z]\w+$/);
    expect(twice([...node.inputs.map((i) => i.name), ...Object.keys(node.hidden)])).toEqual([]);
    expect(twice(node.outputs.map((output) => output.name))).toEqual([]);
    for (const { tooltip } of [...node.inputs, ...node.outputs]) expect(tooltip).toMatch(/^\S.*\.$/);
  });

  it.each(NODES.flatMap((node) => node.inputs.map((input) => [`${node.id}.${input.name}`, input] as const)))(
    '%s has a default within its bounds',
    (_name, input) => {
      if (input.type === 'COMBO') expect(input.choices).toContain(input.default);
      if (!('min' in input)) return;
      expect(input.default).toBeGreaterThanOrEqual(input.min);
      expect(input.default).toBeLessThanOrEqual(input.max);
    },
  );

  it('keep their outputs in the order that saved workflows know', () => {
    const order = Object.fromEntries(
      NODES.map((node) => [node.id, node.outputs.map((o) => o.name).join(' ')]),
    );
    expect(order).toEqual({
      AssayScore: 'images quality alignment authenticity reward report',
      AssayGate:
        'accepted rejected unsure report ' +
        'accepted_masks accepted_latents accepted_prompts accepted_indexes ' +
        'rejected_masks rejected_latents rejected_prompts rejected_indexes ' +
        'unsure_masks unsure_latents unsure_prompts unsure_indexes',
      AssayBest: 'images masks latents indexes selection scores report prompts',
      AssayShelf: 'images masks latents prompts scores seeds added report',
      AssayPrompt: 'prompt',
    });
  });

  it('know the texts of the errors that the pack raises', () => {
    for (const [code, texts] of Object.entries(definitions().errors))
      expect(texts).toEqual({
        message: ERRORS[code as keyof typeof ERRORS].message,
        fix: ERRORS[code as keyof typeof ERRORS].fix,
      });
  });

  it('come in a pack of the same version and licence as Assay', () => {
    const { version, license } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    );
    const project = readFileSync(join(PACK, 'pyproject.toml'), 'utf8');
    expect(/^version = "(.*)"$/m.exec(project)?.[1]).toBe(version);
    expect(license).toBe('Apache-2.0');
    expect(readFileSync(join(PACK, 'LICENSE'), 'utf8')).toBe(
      readFileSync(new URL('../../LICENSE', import.meta.url), 'utf8'),
    );
  });
});

describe('the panel of the extension', () => {
  const EXTENSION = fileURLToPath(new URL('../../python-shim/a1111', import.meta.url));

  it('is written to the pack', () => {
    const written = JSON.parse(readFileSync(join(EXTENSION, 'assay_a1111/definitions.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(panelDefinitions())));
  });

  it('keeps its choices in the order that calls of the API know', () => {
    expect(PANEL.map(({ name }) => name).join(' ')).toBe(
      'enabled action measure threshold aspect unsure_within_interval unsure on_failure keep at_most vary scorer',
    );
  });

  it.each(PANEL.map((input) => [input.name, input] as const))('%s is complete', (_name, input) => {
    expect(input.label).toMatch(/^[A-Z]/);
    expect(input.tooltip).toMatch(/^\S.*\.$/);
    if (input.type === 'COMBO') expect(input.choices).toContain(input.default);
  });

  it('comes in a pack of the same version and licence as Assay', () => {
    const project = readFileSync(join(EXTENSION, 'pyproject.toml'), 'utf8');
    const ours = readFileSync(join(PACK, 'pyproject.toml'), 'utf8');
    expect(/^version = .*$/m.exec(project)?.[0]).toBe(/^version = .*$/m.exec(ours)?.[0]);
    expect(readFileSync(join(EXTENSION, 'LICENSE'), 'utf8')).toBe(
      readFileSync(join(PACK, 'LICENSE'), 'utf8'),
    );
  });
});
