/** Step 1, receive: `application/x-npy` -> a body like that of JSON. One line of JSON with the rest of it may come first. */
import { fail } from '../../../errors/error.ts';
import { json } from '../wire/codec.ts';
import { readNpy } from '../wire/npy.ts';
import { tooManyItems } from '../wire/parse.ts';
import { type Incoming, readBody } from './body.ts';

export const isArray = (type: string | undefined): boolean => /^application\/x-npy\b/i.test(type ?? '');

const BRACE = '{'.charCodeAt(0);
const LINE_END = '\n'.charCodeAt(0);

const isPlain = (item: unknown): boolean =>
  item !== null && typeof item === 'object' && !Array.isArray(item) && !Object.hasOwn(item, 'image');

/** The line, and where the array begins. */
async function lineOf(body: Buffer): Promise<{ request: Record<string, unknown>; start: number }> {
  if (body[0] !== BRACE) return { request: {}, start: 0 };
  const end = body.indexOf(LINE_END);
  if (end < 0)
    throw fail('MALFORMED_BODY', {
      format: 'NPY',
      reason: 'no line end comes after the JSON before the array',
    });
  const { value } = await json.decode(body.subarray(0, end));
  return { request: value as Record<string, unknown>, start: end + 1 };
}

/**
 * The images of an array become the images of the items, in order.
 *
 * @returns what the schema of the body is for
 * @throws BODY_TOO_LARGE, STALLED, MALFORMED_BODY, ARRAY_UNFIT, BAD_REQUEST
 */
export async function readArray(incoming: Incoming, maxItems: number): Promise<unknown> {
  const body = await readBody(incoming);
  const { request, start } = await lineOf(body);
  const { images, ...raw } = readNpy(body.subarray(start));
  if (images.length > maxItems) throw tooManyItems(images.length, maxItems);
  const { items = images.map(() => ({})) } = request;
  if (!Array.isArray(items) || items.length !== images.length)
    throw fail('BAD_REQUEST', {
      reason: `items: expected as many as there are images in the array, which is ${images.length}`,
    });
  const wrong = items.findIndex((item) => !isPlain(item));
  if (wrong >= 0)
    throw fail('BAD_REQUEST', { reason: `items[${wrong}]: expected an object without an image of its own` });
  return { ...request, items: images.map((data, i) => ({ ...items[i], image: { ...raw, data } })) };
}
