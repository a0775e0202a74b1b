/** How many images a GPU is given at once: as many as make it faster, and no more, for they all wait for each other. */

/** Share by which a batch of twice the size must be faster, image by image, to be worth its memory and its wait. */
const LEAST_GAIN = 0.05;
/** A run that takes longer is no batch anybody waits for. */
const LONGEST_MS = 500;

/**
 * The largest size, of 1, 2, 4 and so on, up to which doubling pays.
 *
 * @param time milliseconds of a run of so many images; each size is run twice, for the first time compiles
 */
export async function sizeThatPays(most: number, time: (size: number) => Promise<number>): Promise<number> {
  let best = 1;
  let perImage = await again(1, time);
  for (let size = 2; size <= most && perImage * size <= LONGEST_MS; size *= 2) {
    const found = (await again(size, time).catch(() => Number.POSITIVE_INFINITY)) / size;
    if (found > perImage * (1 - LEAST_GAIN)) break;
    [best, perImage] = [size, found];
  }
  return best;
}

async function again(size: number, time: (size: number) => Promise<number>): Promise<number> {
  await time(size);
  return time(size);
}
