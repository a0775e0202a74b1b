/**
 * Published scorers at tiny size with random weights: checkpoint, conversion and daemon against plain torch. At full size:
 * `npm run parity:full`.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { comparisons, LIMITS } from '../../bench/parity/compare.ts';
import { findPython, TRAINING as PYTHON_PACKAGES } from '../../scripts/python.ts';
import { tempFolder } from '../support/files.ts';

const TRAINING = fileURLToPath(new URL('../../training', import.meta.url));
/** Each row is made in one go, since torch takes longer to begin than some of them take. */
const SYSTEMS = [
  [['acl-iqa-alignment', 'aapmt', 'pickscore', 'clip-iqa', 'diff-agiqa'], ['--int8']],
  [
    ['maniqa-windows', 'ma-agiqa', 'm3-agiqa'],
    ['--int8', '--fp16'],
  ],
] as const;
const python = findPython(PYTHON_PACKAGES);
if (!python) process.stderr.write(`parity is not tried: no Python with ${PYTHON_PACKAGES.join(', ')}\n`);

describe('the daemon', () => {
  it.skipIf(!python).each(SYSTEMS)(
    'says what torch says of %s, whatever the size of the image and the prompt',
    async (systems, variants) => {
      const folder = tempFolder();
      const args = ['-m', 'assay_training', 'parity', ...systems, '--out', folder, ...variants];
      const { status, stderr } = spawnSync(python!, args, { cwd: TRAINING, encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      for (const system of systems)
        for (const [variant, found] of await comparisons(folder, system)) {
          expect(found.count).toBeGreaterThanOrEqual(10);
          expect(found.largest, `${system} ${variant}`).toBeLessThan(LIMITS[variant]!);
        }
    },
    300_000,
  );
});
