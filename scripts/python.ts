/** Finds a Python that has what a command needs: `ASSAY_PYTHON`, else `.venv`, else `python3`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const VENV = fileURLToPath(new URL('../.venv/bin/python', import.meta.url));

/** The first one that imports all packages. */
export function findPython(packages: string[]): string | undefined {
  const candidates = [process.env.ASSAY_PYTHON, VENV, 'python3'];
  const imports = `import ${packages.join(', ')}`;
  return candidates.find(
    (python) => python && spawnSync(python, ['-c', imports], { stdio: 'ignore' }).status === 0,
  );
}
