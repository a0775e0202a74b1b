/** Where Assay's own data goes when nobody says where. Node's own modules alone: it is asked before anything loads. */
import { homedir, userInfo } from 'node:os';
import { posix, win32 } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where services keep their data, for users that have no home. */
const SERVICE_FOLDER = '/var/lib/assay';

/** The user's home; undefined when neither HOME nor the list of users names one. */
function homeOf(env: Environment): string | undefined {
  if (env.HOME?.startsWith('/')) return env.HOME;
  try {
    return userInfo().homedir;
  } catch {
    return undefined; // an id without a name, as containers have
  }
}

function onUnix(env: Environment, platform: NodeJS.Platform): string {
  const home = homeOf(env);
  if (platform === 'darwin')
    return home ? posix.join(home, 'Library/Application Support/assay') : SERVICE_FOLDER;
  // A relative XDG_DATA_HOME is to be ignored: https://specifications.freedesktop.org/basedir-spec
  if (env.XDG_DATA_HOME?.startsWith('/')) return posix.join(env.XDG_DATA_HOME, 'assay');
  return home ? posix.join(home, '.local/share/assay') : SERVICE_FOLDER;
}

/** The platform's folder for application data of this user, or of a service without a user's home. */
export function defaultDataDir(env: Environment, platform = process.platform): string {
  if (platform !== 'win32') return onUnix(env, platform);
  const local = env.LOCALAPPDATA || win32.join(homedir(), 'AppData', 'Local');
  return win32.join(local, 'assay', 'Data');
}
