/** `assay doctor`: what it says of tokens, data and the environment. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openDatabase } from '../../src/store/file/db.ts';
import { numbered, openedStore } from '../store/helpers.ts';
import { startFake as startWebui } from '../support/a1111/fake.ts';
import { assay, type Environment } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';
import { writeModel } from '../support/models.ts';

describe('assay doctor', () => {
  const args = (folder: string) => ['doctor', '--models', folder, '--scorer', 'test-bright'];

  async function doctor(folder: string, env: Environment = {}) {
    writeModel(folder);
    return assay([...args(folder), '--data-dir', folder], { ASSAY_PORT: '0', ...env });
  }

  it('tells where the token comes from, what is kept and what is ignored', async () => {
    const folder = tempFolder();
    const token = join(folder, 'token');
    writeFileSync(token, 'correct-horse-battery', { mode: 0o600 });
    const { store } = openedStore(folder);
    store.record(numbered(3), 'c');
    await store.close();
    const { code, stdout } = await doctor(folder, {
      ASSAY_TOKEN_FILE: token,
      ASSAY_HISTORY_MAX_AGE_DAYS: '30',
      ASSAY_POLICY_ASPECTS_QUALITY_MIN_SCORE: '9',
      ASSAY_SERVICE_HOST: '10.0.0.1',
      ASSAY_TREADS: '2',
    });
    expect(code).toBe(0);
    expect(stdout).toContain('✓ port 0 on 127.0.0.1 is free');
    expect(stdout).toContain(`✓ clients need a token (from ${token})`);
    expect(stdout).toMatch(/✓ history: 3 verdicts, .* MB; deleted when older than 30 days/);
    expect(stdout).toContain('✓ telemetry of the dependencies is off');
    expect(stdout).toContain('· policy.aspects.quality.minScore is 9, and test-bright gives 0 to 5');
    expect(stdout).toContain('· ASSAY_TREADS is no setting and was ignored (did you mean ASSAY_THREADS?)');
    expect(stdout).toContain('service are ignored: ASSAY_SERVICE_HOST');
  });

  it('finds an open door and a history that cannot be used', async () => {
    const folder = tempFolder();
    const path = join(folder, 'history.db');
    const db = openDatabase(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    const { code, stdout } = await doctor(folder, { ASSAY_HOST: '0.0.0.0' });
    expect(code).toBe(2);
    expect(stdout).toContain('✗ listening on 0.0.0.0, beyond this machine, needs a token');
    expect(stdout).toContain(`✗ history: ${path} comes from a newer Assay and was left untouched`);
  });

  it('says which hosts answer, and why one that was named does not', async () => {
    const webui = await startWebui({ fork: 'sdnext' });
    onTestFinished(() => webui.stop());
    const folder = tempFolder();
    writeModel(folder);
    const { stdout } = await assay([...args(folder), '--data-dir', folder, '--a1111', webui.url], {
      ASSAY_PORT: '0',
      ASSAY_COMFYUI_URL: 'http://127.0.0.1:9',
    });
    expect(stdout).toMatch(/✓ SD\.Next 2026-07-23 058a7f0c at http\S+; routes: \/sdapi\/v1\/txt2img, /);
    expect(stdout).toContain('· SD.Next: it does not tell whose job runs');
    expect(stdout).toContain('· ComfyUI: nothing answers at http://127.0.0.1:9');
  });

  it('tries a unix socket, and says who can open it', async () => {
    const folder = tempFolder();
    const socket = join(folder, 'assay.sock');
    const { code, stdout } = await doctor(folder, { ASSAY_SOCKET: socket, ASSAY_PORT: undefined });
    expect(code).toBe(0);
    expect(stdout).toContain(`✓ unix socket ${socket} is free`);
    expect(stdout).toContain('✓ only this user can open the unix socket');
    expect(existsSync(socket)).toBe(false);
  });
});
