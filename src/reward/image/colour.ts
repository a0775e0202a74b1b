/** 4 guard, beside it: how colourful an image is. Pure; a fixed number of samples an image, some 20 µs. */
import type { Colour, Pixels } from '../../types/image.ts';

/** Samples a side. */
const GRID = 32;

class Moments {
  #count = 0;
  #sum = 0;
  #squares = 0;

  add(value: number): void {
    this.#count++;
    this.#sum += value;
    this.#squares += value * value;
  }

  get mean(): number {
    return this.#sum / this.#count;
  }

  get variance(): number {
    return Math.max(0, this.#squares / this.#count - this.mean ** 2);
  }
}

/**
 * Mean saturation, 0..1 ((max − min) ÷ max of the channels of a pixel), and colourfulness as Hasler and Süsstrunk
 * measure it ("Measuring colourfulness in natural images", 2003): 0 is grey, 60 and more is vivid.
 */
export function colourOf({ data, width, height }: Pixels): Colour {
  const [saturation, redGreen, yellowBlue] = [new Moments(), new Moments(), new Moments()];
  for (let j = 0; j < GRID; j++) {
    const y = Math.floor(((j + 0.5) * height) / GRID);
    for (let i = 0; i < GRID; i++) {
      const o = 3 * (y * width + Math.floor(((i + 0.5) * width) / GRID));
      const [red, green, blue] = [data[o]!, data[o + 1]!, data[o + 2]!];
      const most = Math.max(red, green, blue);
      saturation.add(most === 0 ? 0 : (most - Math.min(red, green, blue)) / most);
      redGreen.add(red - green);
      yellowBlue.add((red + green) / 2 - blue);
    }
  }
  const spread = Math.sqrt(redGreen.variance + yellowBlue.variance);
  const offset = Math.hypot(redGreen.mean, yellowBlue.mean);
  return { saturation: saturation.mean, colourfulness: spread + 0.3 * offset };
}
