/** Small pictures of the worst misses, by the names that the report has. */
import { ASPECTS } from '../../types/aspect.ts';
import type { Report } from '../summary.ts';

/** Data URLs by the name of the image. */
export type Thumbnails = ReadonlyMap<string, string>;

/** Most that the page may grow by them, in characters. */
const MOST = 1_500_000;

const missesOf = (report: Report): string[] =>
  ASPECTS.flatMap((aspect) => {
    const worst = report.worst[aspect];
    return worst ? [...worst.scoredTooHigh, ...worst.scoredTooLow].map(({ name }) => name) : [];
  });

/** @param make the data URL of an image; null when it cannot be shown */
export async function thumbnailsOf(
  report: Report,
  make: (name: string) => Promise<string | null>,
): Promise<Thumbnails> {
  const made = new Map<string, string>();
  let size = 0;
  for (const name of new Set(missesOf(report))) {
    const url = await make(name);
    if (url === null || size + url.length > MOST) continue;
    size += url.length;
    made.set(name, url);
  }
  return made;
}
