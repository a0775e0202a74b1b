/** The way of an image: from the node that shows it to the nearest node that made it, and what that was guided by. */
import { type Conditionings, pipesIn } from './conditioning.ts';
import { familiesOf } from './families.ts';
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
  ...'image_b imageB samples2 image3 image4 blend_image flow segs'.split(' '),
];
/** All the others but these: no picture comes by them, or one that is only looked at. */
const BESIDE =
  /clip|model|vae|mask|control|style|sigma|noise|seed|cond|positive|negative|guider|reference|ref_|_ref|prompt|text|width|height|upscale_by|filename|path|audio|sampler$|scheduler|lora|embeds|pipe$|insight|detector|hook|start_image|overlay|watermark/i;
/** Classes that save, show or compare, whatever texts they take. */
const SAVES = /save|preview|view|show|display|compar|export|websocket|output|send/i;
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

export interface Images {
  /** @throws Unknowable */
  of(link: Link): Found | null;
  /** @throws Unknowable */
  at(node: Node): Found | null;
}

export function createImages(search: Search, texts: Texts, conditionings: Conditionings): Images {
  const seen = new Set<string>();
  let depth = 0;

  /** Nodes that hand on one picture are followed in a loop, so that long chains need no stack. */
  function of(start: Link): Found | null {
    for (let link: Link | undefined = start; link; ) {
      search.step();
      if (seen.has(link[0])) return null;
      seen.add(link[0]);
      const node = search.lookup(link[0]);
      if (!node) return search.miss(`node ${link[0]} is not in the workflow`);
      const next: Onward = onward(node);
      if ('found' in next) return next.found;
      if (next.links.length !== 1) return first(next.links);
      link = next.links[0];
    }
    return null;
  }

  function nested<T>(work: () => T): T {
    if (depth >= MOST_DEEP) throw new Unknowable('its pictures are nested too deeply');
    depth++;
    const made = work();
    depth--;
    return made;
  }

  const first = (links: readonly Link[]): Found | null =>
    nested(() => {
      for (const link of links) {
        const found = of(link);
        if (found) return found;
      }
      return null;
    });

  /** The prompt of what a node makes, or the links that its picture comes by. */
  function onward(node: Node): Onward {
    const rows = familiesOf(node.class);
    const row = <K extends keyof Family>(key: K) => rows.find((found) => found[key] !== undefined)?.[key];
    const pictures = picturesOf(node);
    const [loads, picks, mixes, retouches] = [
      row('loads'),
      row('picks'),
      row('mixes'),
      row('retouches') ?? partly(node),
    ];
    if (loads && pictures.length === 0) return { found: search.miss(`${titleOf(node)} is ${loads}`) };
    if (SAVES.test(node.class) && pictures.length > 0) return { links: pictures };
    if (picks && pictures.length !== 1) return { links: linksAt(node, [picks(texts.reader(node)) ?? '']) };
    if (mixes && pictures.length > 1) return { found: mixed(node, pictures, mixes) };
    if (retouches) return { found: retouched(node, pictures, retouches) };
    const found = made(node, pictures, row('draws'));
    return found ? { found } : { links: pictures };
  }

  function made(node: Node, pictures: Link[], draws: Family['draws']): Found | null {
    const guide = conditionings.guiding(node);
    if (guide) return guided(node, guide());
    if (draws) return drawn(node, sideOf(draws, search.side));
    const isBundled = pipesIn(node).length > 0 && (pictures.length === 0 || /sampl/i.test(node.class));
    if (isBundled) return guided(node, conditionings.pipe(node));
    const own = DRAWN[search.side].filter((name) => node.inputs[name] !== undefined);
    const isMaker = pictures.length === 0 || (MAKES.test(node.class) && 'seed' in node.inputs);
    return own.length > 0 && isMaker && !LOOKS.test(node.class) ? drawn(node, own) : null;
  }

  function guided(node: Node, found: Found | null): Found | null {
    return found ?? search.miss(`what guides ${titleOf(node)} has no text`);
  }

  function drawn(node: Node, names: readonly string[]): Found | null {
    const name = names.find((candidate) => node.inputs[candidate] !== undefined);
    const found = name === undefined ? null : texts.of(node.inputs[name]);
    return found && { ...found, nodes: found.nodes.length > 0 ? found.nodes : [node] };
  }

  /** The picture that is retouched has the prompt; a finish made of a loaded picture has its own. */
  function retouched(node: Node, pictures: Link[], kind: 'part' | 'finish'): Found | null {
    const found = first(pictures);
    if (found) return found;
    if (kind === 'finish') return made(node, pictures, undefined);
    return search.miss(`${titleOf(node)} retouches a part of a picture`);
  }

  function mixed(node: Node, pictures: Link[], kind: 'blends' | 'lists'): Found | null {
    const found = nested(() => pictures.map(of)).filter((part) => part !== null);
    const whole = joined(found);
    const isSame = new Set(found.map(({ text }) => text)).size <= 1;
    if (!whole || isSame) return found[0] ?? null;
    if (kind === 'lists') throw notKnown(node, 'it lists pictures of different prompts');
    return { ...whole, doubt: `${titleOf(node)} puts pictures of different prompts together` };
  }

  return {
    of,
    at(node) {
      const next = onward(node);
      return 'found' in next ? next.found : first(next.links);
    },
  };
}

/** What looks for something in a picture before it is guided retouches no more than that. */
const partly = ({ inputs }: Node): 'part' | undefined =>
  'positive' in inputs && Object.keys(inputs).some((name) => DETECTS.test(name)) ? 'part' : undefined;

/** Links that the picture may come by, the most telling ones first. */
export function picturesOf(node: Node): Link[] {
  const named = linksAt(node, PICTURES);
  if (named.length > 0) return named;
  return linksIn(node)
    .filter(([name]) => !BESIDE.test(name) && !isNegative(name))
    .map(([, link]) => link);
}
