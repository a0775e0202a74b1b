/** Who may ask an endpoint, and where it is. */
import { readToken } from '../../config/token.ts';
import { fail } from '../../errors/error.ts';

export interface EndpointAccess {
  key: string | undefined;
  /** Whether it is on this machine. */
  isHere: boolean;
  /** For people: who else can read the key. */
  notes: string[];
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const usage = (reason: string) => fail('USAGE', { reason });

/** Whether an address is one of this machine. */
export const isHere = (url: string): boolean => LOOPBACK.test(new URL(url).hostname);

/** @param setting where it stands in the config. @throws USAGE, TOKEN_UNREADABLE */
export function accessTo(
  { url, apiKey, apiKeyFile }: { url: string; apiKey?: string | undefined; apiKeyFile?: string | undefined },
  setting: string,
): EndpointAccess {
  if (apiKey !== undefined && apiKeyFile !== undefined)
    throw usage(`give either ${setting}.apiKey or ${setting}.apiKeyFile, not both`);
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '')
    throw usage(
      `${setting}.url holds a name or password; give the key in ${setting}.apiKey or ${setting}.apiKeyFile`,
    );
  const file = apiKeyFile === undefined ? null : readToken(apiKeyFile, `${setting}.apiKeyFile`);
  const key = file?.token ?? apiKey;
  const isOpen = key !== undefined && protocol === 'http:' && !isHere(url);
  const notes = [
    ...(file?.notes ?? []),
    ...(isOpen ? [`the key goes to ${hostname} over http, where all on the way can read it`] : []),
  ];
  return { key, isHere: isHere(url), notes };
}
