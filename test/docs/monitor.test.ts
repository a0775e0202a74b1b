/** The page on the monitor says what there is: its config, its event. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { monitorAnswer } from '../../src/bridge/server/wire/monitor-schemas.ts';
import { loadConfig } from '../../src/config.ts';
import { SPANS } from '../../src/loops/monitor/divergence.ts';
import { WINDOW } from '../../src/loops/monitor/window.ts';
import { tempFolder } from '../support/files.ts';

const page = readFileSync(new URL('../../docs/monitor.md', import.meta.url), 'utf8');
const [config, event] = [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)].map(([, text]) => JSON.parse(text!));

it('its config is one', () => {
  const { monitor } = loadConfig({ dataDir: tempFolder(), ...config }, undefined, {});
  expect(monitor).toEqual(config.monitor);
});

it('its event is of the schema, and its table has every figure', () => {
  const run = monitorAnswer.shape.runs.element.shape;
  expect(run.warnings.element.parse(event.warning)).toEqual(event.warning);
  const named = (field: string) => expect(page, field).toMatch(new RegExp(`\`(heldOut\\.)?${field}\``));
  for (const field of Object.keys(run.recent.shape)) if (field !== 'images') named(field);
  for (const field of ['drift', 'agreement', 'changes', 'warnings']) named(field);
});

it('its sizes are those of the code', () => {
  expect(page).toContain(`the latest ${WINDOW.images} images`);
  expect(page).toContain(`${SPANS.slice(0, -1).join(', ')} and ${SPANS.at(-1)} judged groups`);
});
