/**
 * Published scorers at tiny size with random weights: checkpoint, conversion and daemon against plain torch. At full size:
 * `npm run parity:full`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparisons, LIMITS } from '../../bench/parity/compare.ts';
import { findPython, TRAINING as PYTHON_PACKAGES } from '../../scripts/python.ts';

const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));
const SYSTEMS = ['acl-iqa-alignment', 'aapmt', 'pickscore', 'clip-iqa'];
const python = findPython(PYTHON_PACKAGES);
if (!python) process.stderr.write(`parity is not tried: no Python with ${PYTHON_PACKAGES.join(', ')}\n`);

describe.skipIf(!python)('the daemon', () => {
  let folder: string;

  // All in one go: torch takes longer to begin than some of them take.
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'assay-parity-'));
    const args = ['-m', 'assay_training', 'parity', ...SYSTEMS, '--out', folder, '--int8'];
    const { status, stderr } = spawnSync(python!, args, { cwd: TRAINING, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  }, 300_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(SYSTEMS)(
    'says what torch says of %s, whatever the size of the image and the prompt',
    async (system) => {
      for (const [variant, found] of await comparisons(folder, system)) {
        expect(found.count).toBeGreaterThanOrEqual(10);
        expect(found.largest, `${system} ${variant}`).toBeLessThan(LIMITS[variant]!);
      }
    },
    120_000,
  );
});
