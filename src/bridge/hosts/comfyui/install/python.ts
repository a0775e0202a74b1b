/** The Python that a ComfyUI runs on, where its place is customary, and whether it has what the nodes need. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const PLACES = [
  'venv/bin/python',
  '.venv/bin/python',
  'venv/Scripts/python.exe',
  '.venv/Scripts/python.exe',
  'python_embeded/python.exe', // spelt so in the portable package
  'python_embedded/python.exe',
];

/** Python answers in about 50 ms; a cold disk takes seconds. */
const TIMEOUT_MS = 15_000;

/** Path of the Python in or beside ComfyUI's folder; undefined when it lies elsewhere. */
export const findPython = (home: string): string | undefined =>
  [home, dirname(home)].flatMap((folder) => PLACES.map((place) => join(folder, place))).find(existsSync);

/** Whether that Python finds a package, without importing it; null when it does not run. */
export function hasPackage(python: string, name: string): boolean | null {
  const code = `import importlib.util as u; print(u.find_spec(${JSON.stringify(name)}) is not None)`;
  const { stdout, status } = spawnSync(python, ['-c', code], {
    encoding: 'utf8',
    cwd: tmpdir(), // a folder named like the package must not count
    timeout: TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() === 'True' : null;
}

/** The command that installs a package for that Python, or for the one that runs ComfyUI when it is unknown. */
export function installCommand(python: string | undefined, name: string): string {
  if (!python) return `python -m pip install ${name}`;
  const isolated = /python_embedd?ed/.test(python) ? ' -s' : '';
  return `"${python}"${isolated} -m pip install ${name}`;
}
