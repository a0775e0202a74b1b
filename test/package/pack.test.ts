/** The package as npm would publish it: packed, unpacked elsewhere, run from there. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tempFolder } from '../support/files.ts';
import { picture, png } from '../support/images.ts';
import { writeModel } from '../support/models.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Packs the checkout and unpacks it as `node_modules/assay` beside links to the installed dependencies. */
function install(folder: string): string {
  const env = { ...process.env, npm_config_loglevel: 'error' };
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: root, env, stdio: 'pipe' });
  const tarball = readdirSync(folder).find((f) => f.endsWith('.tgz'))!;
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules')))
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  mkdirSync(join(modules, 'assay'));
  execFileSync('tar', ['xzf', join(folder, tarball), '-C', join(modules, 'assay'), '--strip-components=1']);
  return join(modules, 'assay');
}

it('runs from the packed file, with its embedded scorer', async () => {
  const folder = tempFolder();
  const home = install(folder);
  writeFileSync(join(folder, 'a.png'), await png(picture(320, 320)));
  const assay = (...args: string[]) =>
    execFileSync(process.execPath, [join(home, 'dist/cli/index.js'), ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
  expect(assay('--version')).toMatch(/^\d+\.\d+\.\d+/);
  const [result] = JSON.parse(assay('score', 'a.png', '-f', 'json')).results;
  expect(result).toMatchObject({ source: 'a.png', error: null, scorer: { id: 'assay-lite' } });
  expect(readdirSync(home).toSorted()).not.toContain('test');

  writeModel(join(folder, 'models'), {
    edit: (m) => void Object.assign(m.image, { kernel: 'pillow-cubic' }),
  });
  const own = ['--models', 'models', '--scorer', 'test-bright'];
  const [inThread] = JSON.parse(assay('score', 'a.png', '-f', 'json', ...own)).results;
  expect(inThread).toMatchObject({ error: null, scorer: { id: 'test-bright' } });

  mkdirSync(join(folder, 'ComfyUI/custom_nodes'), { recursive: true });
  mkdirSync(join(folder, 'ComfyUI/models'));
  expect(assay('install', 'comfyui', 'ComfyUI')).toMatch(/^installed: Assay's nodes/);
  expect(existsSync(join(folder, 'ComfyUI/custom_nodes/assay/__init__.py'))).toBe(true);
  const shipped = readdirSync(home, { recursive: true, encoding: 'utf8' });
  expect(shipped).toContain(join('examples', 'demo', 'README.md'));
  expect(shipped.filter((path) => /__pycache__|\.pyc$|python-shim.tests/.test(path))).toEqual([]);
}, 120_000);
