/** The way of an image: from the node that shows it to the nearest node that made it, and what that was guided by. */
import { saysNothing } from '../words/normalise.ts';
import { type Conditionings, pipesIn } from './conditioning.ts';
import { familyOf } from './families.ts';
import { type Family, sideOf } from './family.ts';
import { isNegative, type Link, linksAt, linksIn, type Node, titleOf, Unknowable } from './graph.ts';
import { type Found, joined, MOST_DEEP, notKnown, type Onward, type Search } from './search.ts';
import type { Texts } from './texts.ts';

/** Inputs that pictures come by, the picture itself before those beside it. */
const PICTURES = [
  ...'images image samples latent_image latent latents pixels input_image image_target target_image'.split(
    ' ',
  ),
  ...'destination original_image original base_image frames video image1 image_1 images1 images_a'.split(' '),
  ...'image_a imageA image_from samples1 samples_to samples_from source image2 image_2 images2'.split(' '),
  ...'image_b imageB samples2 image3 image4 blend_image initial_value1 initial_value2 initial_value3 flow segs'.split(
    ' ',
  ),
];
/** All the others but these: no picture comes by them, or one that is only looked at. */
const BESIDE =
  /clip|model|vae|mask|control|sigma|noise|seed|(?<!se)cond|positive|negative|guider|prompt|text|width|height|upscale_by|filename|path|audio|sampler$|scheduler|lora|embeds|pipe$|insight|detector|hook/i;
/** Pictures that are looked at, or laid over another: of no matter for the way on, but for what is to be seen. */
const LOOKED_AT = /reference|ref_|_ref|start_image|style|overlay|watermark/i;
/** By these comes the picture that a node changes, whatever else comes into it. */
const CHANGED =
  /^(?:images?|samples|latent_image|latents?|pixels|input_image|(?:image_)?target|target_image|original(?:_image)?)$/;
/** Classes that save, show or compare, whatever texts they take. */
const SAVES = /save|preview|view|show|display|compar|export|websocket|output|send/i;
const SAMPLES = /sampl/i;
/** Text inputs of nodes that make pictures by themselves. */
const DRAWN = {
  positive: ['prompt', 'positive_prompt', 'positive', 'text_positive'],
  negative: ['negative_prompt', 'negative', 'text_negative'],
};
/** What tells a maker of pictures from a node that looks for something in one. */
const MAKES =
  /(?:image|video|txt2img|t2i|i2i|img2img|edit|kontext|flux|qwen|generat|draw|diffusion|imagine|api)/i;
const LOOKS =
  /segment|sam\d?\b|dino|detect|mask|yolo|bbox|crop|matting|remov|clipseg|judge|score|assay|label|ocr|vqa/i;

const DETECTS = /detector|segs|bbox|sam_model|text_threshold|dino/i;

/** Follows the pictures of one search, each node once. */
export class Images {
  readonly #search: Search;
  readonly #texts: Texts;
  readonly #conditionings: Conditionings;
  readonly #seen = new Set<string>();
  #depth = 0;

  constructor(search: Search, texts: Texts, conditionings: Conditionings) {
    this.#search = search;
    this.#texts = texts;
    this.#conditionings = conditionings;
  }

  /** Nodes that hand on one picture are followed in a loop, so that long chains need no stack. */
  of(start: Link): Found | null {
    for (let link: Link | undefined = start; link; ) {
      this.#search.step();
      if (this.#seen.has(link[0])) return null;
      this.#seen.add(link[0]);
      const node = this.#search.lookup(link[0]);
      if (!node) return this.#search.miss(`node ${link[0]} is not in the workflow`);
      const next: Onward = this.#onward(node);
      if ('found' in next) return next.found;
      if (next.links.length !== 1) return this.#first(next.links);
      link = next.links[0];
    }
    return null;
  }

  #nested<T>(work: () => T): T {
    if (this.#depth >= MOST_DEEP) throw new Unknowable('its pictures are nested too deeply');
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }

  #first(links: readonly Link[]): Found | null {
    return this.#nested(() => {
      for (const link of links) {
        const found = this.of(link);
        if (found) return found;
      }
      return null;
    });
  }

  /** The prompt of what a node makes, or the links that its picture comes by. */
  #onward(node: Node): Onward {
    const pictures = picturesOf(node);
    const row = familyOf(node.class);
    const known = this.#ruled(row, node, pictures);
    if (known) return known;
    const { silences } = this.#search;
    const before = silences.length;
    const found = this.#made(node, pictures, row.draws);
    if (pictures.length === 0 && !found && silences.length === before && !isCanvas(node))
      return {
        found: this.#search.miss(`no sampler leads to this image: nothing comes into ${titleOf(node)}`),
      };
    // The other side belongs to the sampler that has this one.
    const guide = this.#conditionings.guiding(node);
    const isEnd = found !== null || (this.#search.side === 'negative' && guide !== undefined);
    if (found && this.#search.side === 'positive' && saysNothing(found.text))
      return { found: this.#first(pictures) ?? found };
    return isEnd ? { found } : this.#handedOn(node, pictures, guide !== undefined);
  }

  /** Only samplers are known to begin with one picture: whatever else comes into them guides them. */
  #handedOn(node: Node, pictures: Link[], isSampler: boolean): Onward {
    const all = arrivingAt(node);
    return all.length > 1 && !isSampler ? { found: this.#guessed(node, all) } : { links: pictures };
  }

  /** What a row says of a node that hands on pictures; undefined when it says nothing of that. */
  #ruled(row: Partial<Family>, node: Node, pictures: Link[]): Onward | undefined {
    if (pictures.length === 0)
      return row.loads ? { found: this.#search.miss(`${titleOf(node)} is ${row.loads}`) } : undefined;
    const all = arrivingAt(node);
    const chosen = all.length > 1 ? this.#ofSeveral(row, node, all) : undefined;
    if (chosen) return chosen;
    if (isSaver(node)) return this.#saved(node, pictures);
    const kind = row.retouches ?? partly(node);
    return kind && { found: this.#retouched(node, pictures, kind) };
  }

  #ofSeveral(row: Partial<Family>, node: Node, pictures: Link[]): Onward | undefined {
    if (row.picks) return { links: linksAt(node, [row.picks(this.#texts.reader(node)) ?? '']) };
    return row.mixes && { found: this.#mixed(node, pictures, row.mixes) };
  }

  /** What compares pictures shows several. */
  #saved(node: Node, pictures: Link[]): Onward {
    const isOne = pictures.length < 2 || changedAt(node) !== undefined;
    return isOne ? { links: pictures } : { found: this.#mixed(node, pictures, 'lists') };
  }

  #made(node: Node, pictures: Link[], draws: Family['draws']): Found | null {
    const guide = this.#conditionings.guiding(node);
    if (guide) return this.#guided(node, guide());
    if (draws) return this.#drawn(node, sideOf(draws, this.#search.side));
    const isBundled = pipesIn(node).length > 0 && (pictures.length === 0 || SAMPLES.test(node.class));
    if (isBundled) return this.#guided(node, this.#conditionings.pipe(node));
    const own = DRAWN[this.#search.side].filter((name) => node.inputs[name] !== undefined);
    const isMaker = pictures.length === 0 || (MAKES.test(node.class) && 'seed' in node.inputs);
    return own.length > 0 && isMaker && !LOOKS.test(node.class) ? this.#drawn(node, own) : null;
  }

  #guided(node: Node, found: Found | null): Found | null {
    return found ?? this.#silent(`what guides ${titleOf(node)} has no text`);
  }

  #silent(reason: string): null {
    this.#search.silences.push(reason);
    return null;
  }

  #drawn(node: Node, names: readonly string[]): Found | null {
    const name = names.find((candidate) => node.inputs[candidate] !== undefined);
    const found = name === undefined ? null : this.#texts.of(node.inputs[name]);
    if (!found) return this.#silent(`${titleOf(node)} has no text`);
    return { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  /** The picture that is retouched has the prompt; a finish made of a loaded picture has its own. */
  #retouched(node: Node, pictures: Link[], kind: 'part' | 'finish'): Found | null {
    const found = this.#first(pictures);
    if (found) return found;
    if (kind === 'finish') return this.#made(node, pictures, undefined);
    return this.#search.miss(`${titleOf(node)} retouches a part of a picture`);
  }

  #mixed(node: Node, pictures: Link[], kind: 'blends' | 'lists'): Found | null {
    const found = this.#nested(() => pictures.map((link) => this.of(link))).filter((part) => part !== null);
    const whole = joined(found);
    const isSame = new Set(found.map(({ text }) => text)).size <= 1;
    if (!whole || isSame) return found[0] ?? null;
    if (kind === 'lists') throw notKnown(node, 'it lists pictures of different prompts');
    return { ...whole, doubt: `${titleOf(node)} puts pictures of different prompts together` };
  }

  /** A node that no row knows is certain only when all pictures that come into it have one prompt. */
  #guessed(node: Node, pictures: Link[]): Found | null {
    const found: Found[] = [];
    let isOpen = false;
    for (const link of pictures)
      try {
        const one = this.#nested(() => this.of(link));
        if (one) found.push(one);
      } catch (error) {
        if (!(error instanceof Unknowable) || found.length === 0) throw error;
        isOpen = true;
      }
    const isSame = !isOpen && new Set(found.map(({ text }) => text.trim())).size <= 1;
    if (isSame) return found[0] ?? null;
    const doubt = `${titleOf(node)} is not known, and pictures of different prompts come into it`;
    return { ...(changedAt(node) ? found[0]! : joined(found)!), doubt };
  }

  at(node: Node): Found | null {
    const next = this.#onward(node);
    return 'found' in next ? next.found : this.#first(next.links);
  }
}

/** What a sampler begins with where there is no picture. */
const isCanvas = (node: Node): boolean => /empty/i.test(node.class);

const isSaver = (node: Node): boolean => SAVES.test(node.class) && !SAMPLES.test(node.class);

/** What looks for something in a picture before it is guided retouches no more than that. */
const partly = ({ inputs }: Node): 'part' | undefined =>
  'positive' in inputs && Object.keys(inputs).some((name) => DETECTS.test(name)) ? 'part' : undefined;

const changedAt = (node: Node): string | undefined =>
  [...node.links.keys()].find((name) => CHANGED.test(name));

/** Links that the picture may come by, the most telling ones first. */
export function picturesOf(node: Node): Link[] {
  const named = linksAt(node, PICTURES);
  return named.length > 0 ? named : unnamed(node, (name) => !LOOKED_AT.test(name));
}

/** Links that any picture may come by, that of `picturesOf` first. */
function arrivingAt(node: Node): Link[] {
  const named = new Set(PICTURES);
  const others = unnamed(node, (name) => !named.has(name));
  return [...linksAt(node, PICTURES), ...others];
}

const unnamed = (node: Node, wanted: (name: string) => boolean): Link[] =>
  linksIn(node)
    .filter(([name]) => !BESIDE.test(name) && !isNegative(name) && wanted(name))
    .map(([, link]) => link);
