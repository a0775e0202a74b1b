/** Does to a scored file what the policy asks: once, however often the process dies on the way. */
import { hash } from 'node:crypto';
import { type AssayError, fail, toAssayError } from '../../errors/error.ts';
import type { OutputRow, Settled } from '../../host.ts';
import type { WatchedImage, WatchParts } from './ports.ts';

type Files = NonNullable<WatchParts['files']>;
type Parts = Pick<WatchParts, 'ledger'> & { files: Files };

const changed = (path: string) =>
  fail('FILE_UNREADABLE', { path, reason: 'it was changed after it was scored' });

/** Digest of the file as it lies there, which must be the image that was scored, tagged or not. */
async function currentDigest(files: Files, output: OutputRow): Promise<string> {
  const found = hash('sha256', await files.folder.read(output));
  if (found !== output.sha256 && found !== output.nextSha256) throw changed(output.filename);
  return found;
}

/** Writes the score into the file, unless it is in. Returns the row as the file is now. */
async function tag({ ledger, files }: Parts, { output, result }: WatchedImage): Promise<OutputRow> {
  const bytes = await files.folder.read(output);
  const found = hash('sha256', bytes);
  if (found === output.nextSha256) return { ...output, sha256: found, nextSha256: null };
  if (found !== output.sha256) throw changed(output.filename);
  const next = hash('sha256', files.tagger.tagged(bytes, output, result));
  // Noted first: after a crash the file is known by either digest.
  ledger.expect(output.id, next);
  await files.tagger.write(await files.folder.locate(output), output, result);
  return { ...output, sha256: next, nextSha256: null };
}

/** An image is moved also when its format has no room for a score: the sidecar tells it. */
async function tagIfPossible(parts: Parts, image: WatchedImage): Promise<OutputRow> {
  try {
    return await tag(parts, image);
  } catch (thrown) {
    const error = toAssayError(thrown);
    if (!error.code.startsWith('METADATA') && error.code !== 'IMAGE_CORRUPT') throw error;
    const sha256 = await currentDigest(parts.files, image.output);
    return { ...image.output, sha256, nextSha256: null };
  }
}

async function move(parts: Parts, image: WatchedImage): Promise<OutputRow> {
  const { bin, folder } = parts.files;
  const { output, result } = image;
  const held = await bin.holds(output, result);
  const row = held
    ? { ...output, sha256: output.nextSha256 ?? output.sha256 }
    : await tagIfPossible(parts, image);
  const path = await folder.locate(output).catch((error) => {
    // It is in: whatever has its old name now is not ours.
    if (held) return null;
    throw error;
  });
  if (path !== null) await bin.put(path, row, result);
  return row;
}

/**
 * Does the action of a recorded image and notes how it ended. It stays pending where the fault lies in the setup or
 * passes by itself; a fault of this one file is final.
 *
 * @returns the row as it is now, and the fault when it stays pending
 * @throws STORE_UNAVAILABLE; the action is then pending
 */
export async function act(
  parts: Parts,
  image: WatchedImage,
): Promise<{ output: OutputRow; trouble: AssayError | null }> {
  const { output } = image;
  try {
    const { sha256 } = await (output.action === 'move' ? move : tag)(parts, image);
    return { output: settle(parts, output, { state: 'done', reason: null, sha256 }), trouble: null };
  } catch (thrown) {
    const error = toAssayError(thrown);
    if (error.code === 'STORE_UNAVAILABLE') throw error;
    if (error.kind !== 'input') return { output: { ...output, reason: error.message }, trouble: error };
    const failed: Settled = { state: 'failed', reason: error.message, sha256: output.sha256 };
    return { output: settle(parts, output, failed), trouble: null };
  }
}

function settle({ ledger }: Parts, output: OutputRow, settled: Settled): OutputRow {
  ledger.settle(output.id, settled);
  return { ...output, ...settled };
}
