/** `assay install comfyui` on folders laid out as ComfyUI's are. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Pack } from '../../src/bridge/hosts/install/pack.ts';
import { placeCopy } from '../../src/bridge/hosts/install/place.ts';
import { assay } from '../support/cli.ts';
import { tempFolder } from '../support/files.ts';

const PACK = fileURLToPath(new URL('../../python-shim/comfyui', import.meta.url));

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** A ComfyUI of that version, with what users have in it. */
function comfyui(version = '0.3.64', at = '.'): string {
  const folder = tempFolder();
  write(join(folder, at), {
    'comfyui_version.py': `# made by the build\n__version__ = "${version}"\n`,
    'nodes.py': '',
    'output/a.png': 'picture',
    'custom_nodes/other_pack/__init__.py': '',
    'custom_nodes/other_pack/__pycache__/a.pyc': 'cache',
    'custom_nodes/example.py.disabled': '',
  });
  return folder;
}

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** Every file and folder below, by path, with what it holds. */
function snapshot(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries.map((e) => {
      const path = join(e.parentPath, e.name);
      if (e.isSymbolicLink()) return [path, `link to ${readlinkSync(path)}`];
      return [path, e.isFile() ? sha256(readFileSync(path)) : 'folder'];
    }),
  );
}

const install = (...args: string[]) => assay(['install', 'comfyui', ...args]);
const placeIn = (folder: string): string => join(folder, 'custom_nodes/assay');
const recordOf = (place: string) => JSON.parse(readFileSync(join(place, '.assay-install.json'), 'utf8'));

/** Turns the installed copy into that of an older version, which had a file more and another `wire.py`. */
function age(place: string): void {
  const record = recordOf(place);
  write(place, { 'wire.py': 'old', 'dropped/gone.py': 'gone' });
  record.version = '0.0.1';
  record.files['wire.py'] = sha256('old');
  record.files['dropped/gone.py'] = sha256('gone');
  writeFileSync(join(place, '.assay-install.json'), JSON.stringify(record));
}

describe('assay install comfyui', () => {
  it('copies the nodes, says what it found, and touches nothing else', async () => {
    const folder = comfyui();
    const before = snapshot(folder);
    const { code, stdout } = await install(folder);
    expect(stdout).toMatch(/^installed: Assay's nodes \d+\.\d+\.\d+ in .*custom_nodes.assay, \d+ files\n/);
    expect(stdout).toMatch(/\nComfyUI 0\.3\.64\n/);
    expect(stdout).toMatch(/\nRestart ComfyUI/);
    expect(code).toBe(0);
    const after = snapshot(folder);
    const place = placeIn(folder);
    expect(Object.fromEntries(Object.entries(after).filter(([path]) => !path.startsWith(place)))).toEqual(
      before,
    );
    for (const name of ['__init__.py', 'definitions.json', 'nodes/gate.py'])
      expect(readFileSync(join(place, name))).toEqual(readFileSync(join(PACK, name)));
    expect(
      Object.keys(after).filter((path) => /__pycache__|tests?$/.test(path) && path.startsWith(place)),
    ).toEqual([]);
    expect((await install(folder, '--check')).code).toBe(0);
    expect((await install(folder)).stdout).toMatch(/^up to date/);
    expect(snapshot(folder)).toEqual(after);
  });

  it.each([
    ['custom_nodes itself', '.', 'custom_nodes'],
    ['the portable folder', 'ComfyUI', '.'],
    ['the folder around the portable one', 'ComfyUI_windows_portable/ComfyUI', '.'],
  ])('accepts %s', async (_, at, named) => {
    const folder = comfyui('0.3.64', at);
    const { code, stdout } = await install(join(folder, named));
    expect(stdout).toMatch(/ComfyUI 0\.3\.64/);
    expect(code).toBe(0);
    expect(existsSync(join(placeIn(join(folder, at)), '__init__.py'))).toBe(true);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['an empty folder', { 'readme.txt': '' }, /neither custom_nodes nor ComfyUI.custom_nodes/],
    ['custom_nodes of something else', { 'custom_nodes/a.py': '' }, /none of comfyui_version\.py/],
    ['a file in the place of custom_nodes', { custom_nodes: '', 'nodes.py': '' }, /neither custom_nodes/],
  ])('refuses %s', async (_, files, reason) => {
    const folder = tempFolder();
    write(folder, files);
    const before = snapshot(folder);
    const { code, stderr } = await install(folder);
    expect(stderr).toMatch(reason);
    expect(stderr).toMatch(/INSTALL_TARGET/);
    expect(code).toBe(2);
    expect(snapshot(folder)).toEqual(before);
  });

  it('refuses a folder that is not there', async () => {
    const { code, stderr } = await install(join(tempFolder(), 'nowhere'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no such folder[\s\S]*INSTALL_TARGET/)]);
  });

  it.runIf(process.getuid?.() !== 0)('refuses a folder that cannot be written', async () => {
    const folder = comfyui();
    chmodSync(join(folder, 'custom_nodes'), 0o555);
    const { code, stderr } = await install(folder);
    chmodSync(join(folder, 'custom_nodes'), 0o755);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/EACCES[\s\S]*INSTALL_TARGET/)]);
  });

  it('says when ComfyUI is older or newer than tried, and when its version is unknown', async () => {
    expect((await install(comfyui('0.3.39'))).stdout).toMatch(
      /ComfyUI: version 0\.3\.39 is older than 0\.3\.64/,
    );
    expect((await install(comfyui('0.38.1'))).stdout).toMatch(
      /ComfyUI: version 0\.38\.1 is newer than 0\.3\.64/,
    );
    const unversioned = comfyui();
    rmSync(join(unversioned, 'comfyui_version.py'));
    expect((await install(unversioned)).stdout).toMatch(/version is unknown/);
    write(unversioned, {
      'pyproject.toml': '[tool.x]\nversion = "9"\n[project]\nname = "a"\nversion = "0.3.64"\n',
    });
    expect((await install(unversioned)).stdout).toMatch(/\nComfyUI 0\.3\.64\n/);
  });

  it.runIf(process.platform !== 'win32')('says whether msgpack is there, and how to install it', async () => {
    // a level deeper: a venv that lies beside the temporary folders would be found
    const folder = join(comfyui('0.3.64', 'ComfyUI'), 'ComfyUI');
    expect((await install(folder)).stdout).toMatch(
      /with the Python that runs ComfyUI:\n {2}python -m pip install msgpack/,
    );
    const python = join(folder, '.venv/bin/python');
    const answers = async (text: string): Promise<string> => {
      write(folder, { '.venv/bin/python': `#!/bin/sh\n${text}\n` });
      chmodSync(python, 0o755);
      return (await install(folder)).stdout;
    };
    expect(await answers('echo True')).toContain(`msgpack is there, in ${python}`);
    expect(await answers('echo False')).toContain(
      `msgpack is missing; install it:\n  "${python}" -m pip install msgpack`,
    );
    expect(await answers('exit 1')).toContain('may be missing');
  });
});

describe('an installed copy', () => {
  it('is updated: files of the old version go, files of others stay', async () => {
    const folder = comfyui();
    await install(folder);
    const place = placeIn(folder);
    const fresh = snapshot(folder);
    age(place);
    write(place, { 'my-notes/a.txt': 'mine', 'nodes/__pycache__/gate.pyc': 'cache' });
    const check = await install(folder, '--check');
    expect([check.code, check.stdout]).toEqual([2, expect.stringMatching(/^outdated: 0\.0\.1 in/)]);
    expect((await install(folder)).stdout).toMatch(/^updated from 0\.0\.1: /);
    rmSync(join(place, 'my-notes/a.txt'));
    rmSync(join(place, 'my-notes'), { recursive: true });
    expect(snapshot(folder)).toEqual(fresh);
  });

  it('is put in anew with --force, and that is no update', async () => {
    const folder = comfyui();
    await install(folder);
    write(placeIn(folder), { '__init__.py': 'changed' });
    expect((await install(folder, '--force')).stdout).toMatch(/^reinstalled: Assay's nodes \S+ in /);
  });

  it('stays as it is when the new one cannot be made whole', async () => {
    const folder = comfyui();
    await install(folder);
    const before = snapshot(folder);
    const broken: Pack = { folder: PACK, version: '9.0.0', files: new Map([['nowhere.py', sha256('')]]) };
    expect(() => placeCopy(placeIn(folder), broken)).toThrow(/ENOENT/);
    expect(snapshot(folder)).toEqual(before);
  });

  it('gets back what is missing', async () => {
    const folder = comfyui();
    await install(folder);
    const fresh = snapshot(folder);
    rmSync(join(placeIn(folder), 'nodes/gate.py'));
    const check = await install(folder, '--check');
    expect([check.code, check.stdout]).toEqual([2, expect.stringMatching(/missing: nodes\/gate\.py/)]);
    expect((await install(folder)).code).toBe(0);
    expect(snapshot(folder)).toEqual(fresh);
  });

  it('that the user changed is replaced only by force', async () => {
    const folder = comfyui();
    await install(folder);
    const fresh = snapshot(folder);
    write(placeIn(folder), { 'wire.py': 'mine' });
    const mine = snapshot(folder);
    expect((await install(folder, '--check')).stdout).toMatch(/changed: wire\.py/);
    for (const flag of [[], ['--uninstall'], ['--link']]) {
      const { code, stderr } = await install(folder, ...flag);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/wire\.py[\s\S]*INSTALL_CONFLICT/)]);
    }
    expect(snapshot(folder)).toEqual(mine);
    expect((await install(folder, '--force')).code).toBe(0);
    expect(snapshot(folder)).toEqual(fresh);
  });

  it('does not put a file over one of the user', async () => {
    const folder = comfyui();
    await install(folder);
    const place = placeIn(folder);
    const record = recordOf(place);
    delete record.files['wire.py'];
    write(place, { 'wire.py': 'mine', '.assay-install.json': JSON.stringify(record) });
    expect((await install(folder)).stderr).toMatch(/not installed by Assay: wire\.py[\s\S]*INSTALL_CONFLICT/);
    expect(readFileSync(join(place, 'wire.py'), 'utf8')).toBe('mine');
  });

  it('is removed without a trace, except for files of others', async () => {
    const folder = comfyui();
    const before = snapshot(folder);
    await install(folder);
    write(placeIn(folder), { 'nodes/__pycache__/gate.pyc': 'cache' });
    expect((await install(folder, '--uninstall')).stdout).toMatch(/^removed: Assay's nodes/);
    expect(snapshot(folder)).toEqual(before);
    expect((await install(folder, '--uninstall')).stdout).toMatch(/^nothing to remove.*\n$/);
    await install(folder);
    write(placeIn(folder), { 'nodes/mine.py': 'mine' });
    expect((await install(folder, '--uninstall')).stdout).toMatch(/left there: nodes\/mine\.py/);
    expect(readdirSync(placeIn(folder), { recursive: true }).toSorted()).toEqual([
      'nodes',
      join('nodes', 'mine.py'),
    ]);
  });

  it('never leads out of its folder: neither by a record nor by a link', async () => {
    const folder = comfyui();
    await install(folder);
    const place = placeIn(folder);
    const record = recordOf(place);
    const victim = { 'other_pack/__init__.py': sha256('') };
    for (const path of ['../other_pack/__init__.py', join(folder, 'custom_nodes/other_pack/__init__.py')]) {
      const bad = { ...record, files: { ...record.files, [path]: victim['other_pack/__init__.py'] } };
      write(place, { '.assay-install.json': JSON.stringify(bad) });
      expect((await install(folder, '--uninstall')).stderr).toMatch(/INSTALL_CONFLICT/);
    }
    record.files['linked/__init__.py'] = sha256('');
    write(place, { '.assay-install.json': JSON.stringify(record) });
    symlinkSync(join(folder, 'custom_nodes/other_pack'), join(place, 'linked'));
    expect((await install(folder, '--uninstall')).stdout).toMatch(/left there: linked/);
    expect(existsSync(join(folder, 'custom_nodes/other_pack/__init__.py'))).toBe(true);
  });
});

describe('something else called assay', () => {
  it.each<[string, (place: string) => void]>([
    ['a folder', (place) => write(place, { '__init__.py': 'theirs' })],
    ['a file', (place) => writeFileSync(place, 'theirs')],
    ['a link', (place) => symlinkSync('/nowhere', place)],
  ])('%s stays unless forced', async (_, make) => {
    const folder = comfyui();
    make(placeIn(folder));
    const before = snapshot(folder);
    for (const flags of [[], ['--link'], ['--uninstall'], ['--uninstall', '--force']]) {
      const { code, stderr } = await install(folder, ...flags);
      expect([code, stderr]).toEqual([2, expect.stringMatching(/INSTALL_CONFLICT/)]);
    }
    expect((await install(folder, '--check')).stdout).toMatch(/^not installed: /);
    expect(snapshot(folder)).toEqual(before);
    expect((await install(folder, '--force')).code).toBe(0);
    expect((await install(folder, '--check')).code).toBe(0);
    await install(folder, '--uninstall');
    expect(existsSync(placeIn(folder))).toBe(false);
  });
});

describe('a link', () => {
  it('is made, recognised, removed, and leaves the pack alone', async () => {
    const folder = comfyui();
    const before = snapshot(folder);
    const pack = snapshot(PACK);
    expect((await install(folder, '--link')).stdout).toMatch(/^linked /);
    expect(realpathSync(placeIn(folder))).toBe(realpathSync(PACK));
    expect((await install(folder, '--link')).stdout).toMatch(/^up to date/);
    expect((await install(folder, '--check')).code).toBe(0);
    expect((await install(folder, '--uninstall')).stdout).toMatch(/^removed: the link/);
    expect(snapshot(folder)).toEqual(before);
    expect(snapshot(PACK)).toEqual(pack);
  });

  it('gives way to a copy, and a copy to a link', async () => {
    const folder = comfyui();
    const pack = snapshot(PACK);
    await install(folder, '--link');
    await install(folder);
    expect(lstatSync(placeIn(folder)).isSymbolicLink()).toBe(false);
    write(placeIn(folder), { 'mine.txt': 'mine' });
    expect((await install(folder, '--link')).stderr).toMatch(/mine\.txt[\s\S]*INSTALL_CONFLICT/);
    rmSync(join(placeIn(folder), 'mine.txt'));
    await install(folder, '--link');
    expect(lstatSync(placeIn(folder)).isSymbolicLink()).toBe(true);
    expect(snapshot(PACK)).toEqual(pack);
  });
});

it('asks for flags that fit together', async () => {
  const folder = comfyui();
  expect((await install(folder, '--check', '--uninstall')).code).toBe(2);
  expect((await install(folder, '--check', '--force')).code).toBe(2);
  expect((await install()).code).toBe(2);
});

/** A host of the AUTOMATIC1111 family, with what users have in it. */
function family(
  files: Record<string, string> = { 'webui.py': '', 'CHANGELOG.md': '## 1.10.1\n\n## 1.9.4\n' },
): string {
  const folder = tempFolder();
  write(folder, { 'extensions/other/scripts/a.py': '', 'extensions/put extensions here.txt': '', ...files });
  return folder;
}

describe('assay install a1111', () => {
  const EXTENSION = fileURLToPath(new URL('../../python-shim/a1111', import.meta.url));
  const put = (...args: string[]) => assay(['install', 'a1111', ...args]);

  it('copies the extension, says what it found, touches nothing else, and takes it out again', async () => {
    const folder = family();
    const before = snapshot(folder);
    const { code, stdout } = await put(folder);
    expect(stdout).toMatch(/^installed: Assay's extension \d+\.\d+\.\d+ in .*extensions.assay, \d+ files\n/);
    expect(stdout).toMatch(/\nAUTOMATIC1111 1\.10\.1\n/);
    expect(stdout).toMatch(/\nRestart the host/);
    expect(code).toBe(0);
    for (const name of ['scripts/assay.py', 'assay_a1111/job.py', 'assay_a1111/definitions.json'])
      expect(readFileSync(join(folder, 'extensions/assay', name))).toEqual(
        readFileSync(join(EXTENSION, name)),
      );
    const check = await put(join(folder, 'extensions'), '--check');
    expect([check.code, check.stdout]).toEqual([0, expect.stringMatching(/^installed: /)]);
    expect((await put(folder, '--uninstall')).stdout).toMatch(/^removed: Assay's extension/);
    expect((await put(folder, '--uninstall')).stdout).toMatch(/Assay's extension is not in/);
    expect(snapshot(folder)).toEqual(before);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'Forge',
      { 'webui.py': '', 'modules_forge/forge_version.py': "version = 'f2.0.1v1.10.1-x'\n" },
      /\nForge f2\.0\.1v1\.10\.1\n/,
    ],
    ['SD.Next', { 'webui.py': '', 'modules/sd_samplers_diffusers.py': '' }, /\nSD\.Next\n/],
    ['a data folder apart from the program', { 'config.json': '{}' }, /unknown: the folder does not tell it/],
  ])('knows %s', async (_, files, words) => {
    expect((await put(family(files))).stdout).toMatch(words);
  });

  it('refuses folders of something else', async () => {
    const empty = tempFolder();
    expect((await put(empty)).stderr).toMatch(/neither extensions nor webui.extensions[\s\S]*INSTALL_TARGET/);
    write(empty, { 'extensions/a.txt': '' });
    expect((await put(empty)).stderr).toMatch(/none of webui\.py[\s\S]*INSTALL_TARGET/);
  });
});
