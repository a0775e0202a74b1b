// `npm run gpu`: fetches the CUDA and TensorRT files of onnxruntime, which npm does not carry (Linux x64 only needs it).
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

if (platform() !== 'linux' || arch() !== 'x64') {
  console.log(`nothing to fetch on ${platform()} ${arch()}: onnxruntime brings what it has for it`);
  process.exit(0);
}
const home = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
const { status } = spawnSync(process.execPath, [join(home, 'script', 'install.js')], {
  stdio: 'inherit',
  // Wins over the `skip` that .npmrc sets for ordinary installs.
  env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'true' },
});
console.log(status === 0 ? 'done; `npm run assay -- doctor` shows what runs' : 'fetching failed; see above');
process.exit(status ?? 1);
