/** Where the user stands: names on the command line are relative to it. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const HOME = new URL('../../..', import.meta.url);

/**
 * `npm run` starts commands in the folder of the package, and says in INIT_CWD where it was called from. Elsewhere that
 * variable says nothing: it is handed on to whatever a script starts.
 */
export function goToUser(env: NodeJS.ProcessEnv = process.env): void {
  const from = env.INIT_CWD;
  if (!from || process.cwd() !== realpathSync(fileURLToPath(HOME))) return;
  try {
    process.chdir(from);
  } catch {
    // It is gone by now: the package's folder is as good as any.
  }
}
