/** The page on studies says what there is: its requests are answered. Its Python is run by python-shim/tests. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ask } from '../bridge/server/harness.ts';
import { startReal } from '../bridge/server/real.ts';

const page = readFileSync(new URL('../../docs/studies.md', import.meta.url), 'utf8');
const CALL = /^curl -s (?:-H 'content-type: application\/json' )?http:\/\/[\d.:]+(\S+)(?: -d '([^']*)')?$/gm;

it('its requests are answered', async () => {
  const rig = await startReal();
  const calls = [...page.matchAll(CALL)];
  expect(calls).toHaveLength(page.match(/^curl /gm)!.length);
  const answers = [];
  for (const [, path, body] of calls) {
    const headers = { 'content-type': 'application/json' };
    answers.push(await ask(rig, path!, body === undefined ? {} : { method: 'POST', headers, body }));
  }
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(answers[1]!.body.trials).toHaveLength(1);
  expect(answers[3]!.body.winners).toMatchObject([{ image: 'wolf-1.png', value: 0.63 }]);
});

it('its table has every error of studies', () => {
  for (const code of [
    'STUDIES_FULL',
    'STUDY_TAKEN',
    'STUDY_UNKNOWN',
    'TRIAL_TOLD',
    'TRIAL_UNKNOWN',
    'TRIAL_UNSCORED',
  ])
    expect(page).toContain(`| \`${code}\` |`);
});
