/** What comes with Assay for a host: the files that are copied, and their version. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '../../../lib/version.ts';
import { leaves, sha256Of } from './files.ts';
import { projectVersion } from './versions.ts';

/** The same place in a checkout and in the package, whose dist mirrors src. */
const FOLDER = fileURLToPath(new URL('../../../../python-shim', import.meta.url));

/** Of use in a checkout alone. */
const NOT_COPIED = /(^|\/)(tests?\/|test_[^/]*\.py$|conftest\.py$|\.[^/]+(\/|$))|\.pyc$/;

export interface Pack {
  folder: string;
  version: string;
  /** sha256 in hex by relative path. */
  files: ReadonlyMap<string, string>;
}

/** @param name of a folder in python-shim */
export function readPack(name: string): Pack {
  const folder = join(FOLDER, name);
  const paths = leaves(folder)
    .filter(({ path, kind }) => kind === 'file' && !NOT_COPIED.test(path))
    .map(({ path }) => path);
  return {
    folder,
    version: projectVersion(join(folder, 'pyproject.toml')) ?? version,
    files: new Map(paths.map((path) => [path, sha256Of(join(folder, path))])),
  };
}
