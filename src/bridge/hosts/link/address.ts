/** Where a host is: the address as given, and what is derived from it. */
import { fail } from '../../../errors/error.ts';

export interface Address {
  /** For people and logs: without a slash at its end, a login or a query, which may hold a token. */
  base: string;
  /** For every request; a login in the address becomes one of them. */
  headers: Readonly<Record<string, string>>;
  /** Whether requests carry what another server must not see. */
  isSecret: boolean;
  /** Address of a path like `/history?max_items=8`, with the query of the host added. */
  at(path: string): string;
}

/**
 * Takes http and https, with a path when the host lives under one, and a query that goes along with every request.
 *
 * @param headers sent with every request
 * @throws USAGE when it is not such an address
 */
export function parseAddress(text: string, headers: Readonly<Record<string, string>> = {}): Address {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol))
    throw fail('USAGE', { reason: `"${withoutSecrets(text)}" is not an address like http://127.0.0.1:8188` });
  const base = `${url.protocol}//${url.host}${url.pathname}`.replace(/\/+$/, '');
  const query = url.search.slice(1);
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  const all = { ...loginOf(url), ...Object.fromEntries(given) };
  const at = (path: string): string => {
    if (query === '') return base + path;
    return `${base}${path}${path.includes('?') ? '&' : '?'}${query}`;
  };
  return {
    base,
    headers: all,
    isSecret: query !== '' || Object.keys(all).length > 0,
    at,
  };
}

const withoutSecrets = (text: string): string => text.replace(/[?#].*$/s, '').replace(/\/\/[^/@]*@/, '//');

function loginOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}
