/** Files on the host, as it keeps them. */
import { fail } from '../../../../errors/error.ts';
import type { HostFile } from '../../../../host.ts';
import { gistOf, type Http, TooMuch } from '../../link/http.ts';

/** @throws IMAGE_GONE, IMAGE_TOO_HEAVY, HOST_DENIED */
export async function fetchFile(
  http: Http,
  file: HostFile,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { filename, subfolder, type } = file;
  const path = `/view?${new URLSearchParams({ filename, subfolder, type })}`;
  const { url } = http;
  const reply = await http.get(path, maxBytes, signal).catch((error) => {
    throw error instanceof TooMuch ? fail('IMAGE_TOO_HEAVY', { bytes: error.bytes, maxBytes }) : error;
  });
  if (reply.status === 200) return reply.bytes;
  const name = [subfolder, filename].filter(Boolean).join('/');
  if (reply.status === 404) throw fail('IMAGE_GONE', { name, url });
  throw fail('HOST_DENIED', { url, status: reply.status, reason: `${name}: ${gistOf(reply)}` });
}
