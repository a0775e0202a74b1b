/** Where a host is: the address as given, and what is derived from it. */
import { fail } from '../../errors.ts';

export interface Address {
  /** Without a slash at its end, and without a login. */
  base: string;
  /** For every request; a login in the address becomes one of them. */
  headers: Readonly<Record<string, string>>;
  /** Address of the live channel. */
  socket(clientId: string): string;
}

/**
 * Takes http and https, with a path when the host lives under one.
 *
 * @throws USAGE when it is not such an address
 */
export function parseAddress(text: string): Address {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw fail('USAGE', { reason: `"${text}" is not an address like http://127.0.0.1:8188` });
  const base = `${url.protocol}//${url.host}${url.pathname}`.replace(/\/+$/, '');
  return {
    base,
    headers: loginOf(url),
    socket: (clientId) => `${base.replace(/^http/, 'ws')}/ws?clientId=${encodeURIComponent(clientId)}`,
  };
}

function loginOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}
