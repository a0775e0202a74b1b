/** The Python of training/ and python-shim/: `ASSAY_PYTHON`, else a virtual environment in the checkout, made on first use. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const VENV = join(ROOT, '.venv');
const VENV_PYTHON =
  process.platform === 'win32' ? join(VENV, 'Scripts', 'python.exe') : join(VENV, 'bin', 'python');

/** What the tests need. The version of torch is the one that the figures were measured with. */
const PACKAGES = ['torch==2.13.0', '-e', 'training[dev]', 'aiohttp', 'msgpack', 'hypothesis'];
const LEAST = '3.10';

/** What training/ imports. */
export const TRAINING = [
  'torch',
  'onnx',
  'onnxruntime',
  'onnxscript',
  'safetensors',
  'scipy',
  'tokenizers',
  'ftfy',
  'PIL',
];

const imports = (python: string, packages: readonly string[]): boolean =>
  spawnSync(python, ['-c', `import ${packages.join(', ')}`], { stdio: 'ignore' }).status === 0;

/** The first one that imports all packages. */
export const findPython = (packages: readonly string[]): string | undefined =>
  [process.env.ASSAY_PYTHON, VENV_PYTHON, 'python3'].find((python) => python && imports(python, packages));

/** A Python that can make environments; undefined when there is none. */
const basePython = (): string | undefined =>
  ['python3', 'python'].find((python) => {
    const code = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${LEAST.replace('.', ', ')}))`;
    return spawnSync(python, ['-c', code], { stdio: 'ignore' }).status === 0;
  });

function run(command: string, args: string[]): boolean {
  return spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2] }).status === 0;
}

/**
 * Makes the environment in the checkout, unless there is a Python with all that is needed.
 *
 * @returns why there is none, for people; undefined when there is one
 */
export function preparePython(packages: readonly string[]): string | undefined {
  if (findPython(packages)) return undefined;
  if (process.env.ASSAY_PYTHON) return `ASSAY_PYTHON lacks one of ${packages.join(', ')}`;
  const base = basePython();
  if (!base) return `there is no Python ${LEAST} or newer with venv`;
  process.stderr.write('installing what the Python tests need into .venv (minutes, once) …\n');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const made =
    (existsSync(VENV_PYTHON) || run(base, ['-m', 'venv', VENV])) && run(VENV_PYTHON, [...pip, ...PACKAGES]);
  return made && imports(VENV_PYTHON, packages) ? undefined : 'the environment in .venv could not be made';
}
