/** Which node saved an image, and whether what it saved is a map: told by the workflow alone. */
import type { Maker } from '../../../../host.ts';
import { isObject } from '../../link/values.ts';

/** Nodes that make pictures of something other than a scene, by class name. A row more is a family more. */
const MAPS: readonly (readonly [what: string, classes: RegExp])[] = [
  ['a mask', /masks?.?to.?images?|^MaskPreview\+?$|^image.?threshold$/i],
  [
    'a depth map',
    /depth.?(anything|crafter|pro(?!mpt))|midas|zoe.?depth|leres|marigold.*depth|depth.*(preprocessor|estimat)/i,
  ],
  [
    'an edge map',
    /^canny$|canny.*preprocessor|(hed|pidi|pidinet|teed|scribble|lineart|line.?art|mlsd|binary|softedge).*preprocessor/i,
  ],
  ['a normal map', /normal.?map.*preprocessor|bae.?normal|dsine/i],
  ['a pose', /(openpose|dw|densepose|animalpose|mediapipe.*mesh).?(preprocessor|pose|estimat)/i],
  [
    'a segmentation',
    /(oneformer|uniformer|semseg|seg_?ofade|anime.?face.?seg).*preprocessor|segmentation.?preprocessor/i,
  ],
  ['a control picture', /^AIO_Preprocessor$|preprocessor$/i],
];

/** Inputs of nodes that make a picture anew, whatever image guides them. */
const MAKING = /prompt|seed|^(model|vae|clip|samples|latent|positive|negative|conditioning|pipe|guider)$/i;
const IMAGE = /image|picture|pixels/i;
const MOST_PASSED = 20;

interface Node {
  class_type?: unknown;
  inputs?: unknown;
  _meta?: unknown;
}

const nodeAt = (graph: unknown, id: string): Node | undefined =>
  isObject(graph) && Object.hasOwn(graph, id) && isObject(graph[id]) ? graph[id] : undefined;

const classOf = (node: Node | undefined): string | null =>
  typeof node?.class_type === 'string' ? node.class_type : null;

function titleOf(node: Node | undefined): string | null {
  const title = isObject(node?._meta) ? node._meta.title : undefined;
  return typeof title === 'string' ? title : null;
}

/** Ids of the nodes that images come from: by inputs that are named so, else by any. */
function sourcesOf(node: Node): string[] {
  const values = isObject(node.inputs) ? Object.entries(node.inputs) : [];
  const links = values.flatMap(([name, value]) =>
    Array.isArray(value) && value.length === 2 ? [{ name, id: String(value[0]) }] : [],
  );
  const images = links.filter(({ name }) => IMAGE.test(name));
  return (images.length > 0 ? images : links).map(({ id }) => id);
}

/** Where the image comes from that a node hands on: a node with one image changes its look, not what it shows. */
function passedOn(node: Node): string | undefined {
  const [source, ...others] = sourcesOf(node);
  const isMade = isObject(node.inputs) && Object.keys(node.inputs).some((name) => MAKING.test(name));
  return isMade || others.length > 0 ? undefined : source;
}

/** What kind of map the images of a node are; null for pictures, and for what is not known. */
function mapOf(graph: unknown, saver: Node | undefined): string | null {
  // Image savers have one image alone, and other links beside it.
  let id = saver && sourcesOf(saver)[0];
  for (let passed = 0; id !== undefined && passed < MOST_PASSED; passed++) {
    const node = nodeAt(graph, id);
    const name = classOf(node);
    if (!node || name === null) return null;
    const map = MAPS.find(([, classes]) => classes.test(name));
    if (map) return map[0];
    id = passedOn(node);
  }
  return null;
}

/**
 * @param graph API format; anything is taken
 * @param id of the node that told of the image; one that was made during the run is known by the node that made it
 */
export function makerOf(graph: unknown, id: string): Maker {
  const saver = nodeAt(graph, id) ?? nodeAt(graph, id.split('.')[0]!);
  return { type: classOf(saver), title: titleOf(saver), map: mapOf(graph, saver) };
}
