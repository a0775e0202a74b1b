/** Which node saved an image, and whether what it saved is a map: told by the workflow alone. */
import type { Maker } from '../../host.ts';
import { isObject } from './graph.ts';

/** Nodes that make pictures of something other than a scene, by class name. A row more is a family more. */
const MAPS: readonly (readonly [what: string, classes: RegExp])[] = [
  ['a mask', /^(.*Masks?ToImages?|Convert Masks to Images|MaskPreview\+?)$/i],
  ['a depth map', /depth.?anything|midas|zoe.?depth|leres|marigold.*depth|depth.*(preprocessor|estimat)/i],
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

/** Nodes that hand an image on with another size or place, by class name. */
const PASSING =
  /^(Reroute|Image(Scale|ScaleBy|ScaleToTotalPixels|Crop|Flip|Rotate|Invert|PadForOutpaint|Resize.*)|ImageResize.*|PreviewBridge|ImageFromBatch|RepeatImageBatch|RebatchImages)$/;
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

/** Id of the first node that is linked; image savers have one image alone. */
function sourceOf(node: Node | undefined): string | undefined {
  const values = isObject(node?.inputs) ? Object.entries(node.inputs) : [];
  const links = values.filter(([, value]) => Array.isArray(value) && value.length === 2) as [
    string,
    unknown[],
  ][];
  const image = links.find(([name]) => /image|picture|pixels/i.test(name)) ?? links[0];
  return image && String(image[1][0]);
}

/** What kind of map the images of a node are; null for pictures, and for what is not known. */
function mapOf(graph: unknown, saver: Node | undefined): string | null {
  let id = sourceOf(saver);
  for (let passed = 0; id !== undefined && passed < MOST_PASSED; passed++) {
    const node = nodeAt(graph, id);
    const name = classOf(node);
    if (name === null) return null;
    if (!PASSING.test(name)) return MAPS.find(([, classes]) => classes.test(name))?.[0] ?? null;
    id = sourceOf(node);
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
