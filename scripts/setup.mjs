// Installs what is missing. Plain JavaScript without dependencies: it runs before anything is installed, on any Node.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'node_modules', '.assay-setup');
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0);

process.stderr.write('installing what Assay needs (about half a minute) …\n');
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund'], {
  cwd: root,
  stdio: ['ignore', 2, 2],
  shell: process.platform === 'win32',
  // onnxruntime-node would otherwise fetch its CUDA files; `npm run gpu` does so on request.
  env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
});
if (status !== 0) process.exit(status ?? 1);
writeFileSync(stamp, wanted);
