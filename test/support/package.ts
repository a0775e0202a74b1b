/** The package as npm would publish it: packed, and unpacked elsewhere beside the packages that it needs to run. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Names of the packages that a user gets, with those that they need. */
function runtimePackages(): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const entries = Object.entries(lock.packages as Record<string, { dev?: boolean; peer?: boolean }>);
  return entries
    .filter(([path, { dev, peer }]) => !dev && !peer && path.lastIndexOf('node_modules/') === 0)
    .filter(([path]) => existsSync(join(root, path))) // not those for other platforms
    .map(([path]) => path.slice('node_modules/'.length));
}

/** Packs the checkout and unpacks it as `node_modules/assay` in a folder; returns that path. */
export function installPackage(folder: string): string {
  const env = { ...process.env, npm_config_loglevel: 'error' };
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: root, env, stdio: 'pipe' });
  const tarball = readdirSync(folder).find((f) => f.endsWith('.tgz'))!;
  const modules = join(folder, 'node_modules');
  for (const name of runtimePackages()) {
    const link = join(modules, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), link);
  }
  mkdirSync(join(modules, 'assay'));
  execFileSync('tar', ['xzf', join(folder, tarball), '-C', join(modules, 'assay'), '--strip-components=1']);
  chmodSync(folder, 0o755); // other users run it, too
  return join(modules, 'assay');
}
