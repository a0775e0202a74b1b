/**
 * Published scorers with random weights: what the daemon says against what torch says, and its speed against the bare
 * sessions. Needs a Python with the packages of training/ (`ASSAY_PYTHON`, else `.venv`, else `python3`).
 *
 * npm run parity:full -- [--size tiny] [--systems acl-iqa,image-reward] [--fp16] [--keep DIR]
 * npm run parity:full -- --made DIR --systems upstream-acl-iqa    what bench/upstream.py and `convert` left there
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findPython } from '../scripts/python.ts';
import { comparisons, type Differences, LIMITS } from './parity/compare.ts';
import { type SpeedFigures, speedOf } from './parity/speed.ts';

const SYSTEMS = [
  ...['acl-iqa', 'acl-iqa-alignment', 'acl-iqa-authenticity', 'image-reward', 'aapmt'],
  ...['clip-score', 'clip-iqa', 'laion-aesthetic', 'pickscore', 'hps', 'diff-agiqa'],
  ...['maniqa', 'maniqa-windows', 'ma-agiqa', 'm3-agiqa'],
];
const TIMED = ['acl-iqa', 'image-reward', 'maniqa', 'ma-agiqa', 'm3-agiqa'];
/** Those that take a minute for an image. */
const SLOW = ['diff-agiqa', 'upstream-diff-agiqa'];
const TRAINING = fileURLToPath(new URL('../training', import.meta.url));

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: 'full' },
    systems: { type: 'string', default: SYSTEMS.join(',') },
    keep: { type: 'string' },
    made: { type: 'string' },
    fp16: { type: 'boolean', default: false },
  },
});
const kept = values.made ?? values.keep;
const folder = kept ?? mkdtempSync(join(tmpdir(), 'assay-parity-'));

function make(python: string, system: string): void {
  const args = ['-m', 'assay_training', 'parity', system, '--size', values.size, '--out', folder, '--int8'];
  if (values.fp16) args.push('--fp16');
  const { status } = spawnSync(python, args, { cwd: TRAINING, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`making ${system} failed`);
}

const share = (value: number): string => value.toExponential(1).padStart(8);

function print(system: string, variant: string, found: Differences): void {
  const verdict = found.largest <= LIMITS[variant]! ? 'ok' : `above ${LIMITS[variant]}`;
  process.stdout.write(
    `${system.padEnd(22)} ${variant.padEnd(6)} ${String(found.count).padStart(3)} scores  ` +
      `median ${share(found.median)}  p95 ${share(found.p95)}  largest ${share(found.largest)} of the range  ${verdict}\n`,
  );
}

const printSpeed = (system: string, s: SpeedFigures): void =>
  void process.stdout.write(
    `${system.padEnd(22)} daemon ÷ bare sessions ${s.ratio} (${s.ratios.join(', ')}); ` +
      `bare ${s.rawMs} ms an image, 512², ${s.threads} thread(s); a known prompt ${s.promptMs} ms\n`,
  );

function needPython(): string {
  const modules = ['torch', 'onnx', 'onnxruntime', 'onnxscript', 'safetensors', 'tokenizers', 'ftfy', 'PIL'];
  const python = findPython(modules);
  if (!python) throw new Error('no Python with the packages of training/: set ASSAY_PYTHON');
  return python;
}

try {
  const python = values.made ? undefined : needPython();
  for (const system of values.systems.split(',')) {
    if (python) make(python, system);
    for (const [variant, found] of await comparisons(folder, system)) {
      print(system, variant, found);
      if (found.largest > LIMITS[variant]!) process.exitCode = 1;
    }
    if (values.size === 'full' && TIMED.includes(system)) printSpeed(system, await speedOf(folder, system));
    if (values.size === 'full' && SLOW.includes(system))
      printSpeed(system, await speedOf(folder, system, { pairs: 2, images: 2 }));
    if (!kept) rmSync(join(folder, 'models', system), { recursive: true, force: true });
  }
} finally {
  if (!kept) rmSync(folder, { recursive: true, force: true });
}
