// Installs what is missing, then runs a script with the Node that the checkout pins: node scripts/setup.mjs FILE [ARGS].
// Plain JavaScript without dependencies: it runs before anything is installed, on any Node.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';

/** npm writes its own copy of the lock file when an install has ended well. */
function isInstalled() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  return (
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
  );
}

function install() {
  if (isInstalled()) return;
  process.stderr.write('installing what Assay needs (about half a minute) …\n');
  const { status } = spawnSync(windows ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: windows,
    // onnxruntime-node would otherwise fetch its CUDA files; `npm run gpu` does so on request.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Every user of the machine can read the arguments of a process, but not its environment: there the daemon's token goes.
 * What npm and the shell were called with cannot be hidden; a file (`--token-file`) is.
 */
function handOver(args) {
  const at = args.findIndex((arg) => arg === '--token' || arg.startsWith('--token='));
  if (args[0] !== 'serve' || at < 0 || args.some((arg) => arg.startsWith('--token-file')))
    return { args, env: process.env };
  process.title = 'assay';
  const inline = args[at] !== '--token';
  const { ASSAY_TOKEN_FILE: _, ...env } = process.env;
  env.ASSAY_TOKEN = inline ? args[at].slice('--token='.length) : args[at + 1];
  return { args: args.filter((_, i) => i !== at && (inline || i !== at + 1)), env };
}

/** The shell may still remember where it found an older `node`, so the pinned one is named by its path. */
function run(file, args) {
  const node = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node');
  const given = handOver(args);
  const child = spawn(existsSync(node) ? node : process.execPath, [join(root, file), ...given.args], {
    stdio: 'inherit',
    env: given.env,
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  // Ctrl-C in a terminal reaches the child by itself; a second one would cut its shutdown short.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  // npm starts us through a shell, which dies of a SIGTERM and passes nothing on: then nobody is left to stop the child.
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500).unref();
  child.on('exit', (code) => process.exit(code ?? 1));
}

install();
const [file, ...args] = process.argv.slice(2);
if (file) run(file, args);
