/** The rules: one row a family of nodes. A node that fits no row is read by the names of its inputs (docs/prompts.md). */
import type { Family, Reader } from './family.ts';
import { notKnown } from './search.ts';
import * as strings from './strings.ts';
import * as switches from './switches.ts';

const both = (positive: string[], negative: string[]) => ({ positive, negative });
const LOADER_TEXTS = both(['positive'], ['negative']);
const styleIn = (read: Reader): string | null => {
  const style = read
    .names(/style/i)
    .map((name) => read.node.inputs[name])
    .find((v) => typeof v === 'string' && v !== '');
  const isNone = /^(?:none|base|no[ _-]?style|sai-base|default|-)$/i.test(String(style ?? 'none').trim());
  return isNone
    ? null
    : `the style "${String(style).slice(0, 40)}" adds words that the workflow does not hold`;
};
/** A side without a share is not heard. */
const heard = (read: Reader): readonly string[] => {
  const share = read.node.inputs.conditioning_to_strength;
  const both = ['conditioning_to', 'conditioning_from'];
  return share === 1 ? both.slice(0, 1) : share === 0 ? both.slice(1) : both;
};
const RUN_TIME = 'its text is made when the workflow runs';

export const FAMILIES: readonly Family[] = [
  // conditioning
  {
    family: 'silence',
    classes: ['ConditioningZeroOut', 'unCLIPConditioningZero', 'ConditioningSetEmpty'],
    silent: true,
  },
  {
    family: 'boxes with texts of their own',
    classes: ['GLIGENTextBoxApply', 'GLIGENTextBoxApplyBatch', 'GligenTextBoxApplyBatchCoords'],
    passes: ['conditioning_to'],
  },
  { family: 'averages', classes: ['ConditioningAverage'], passes: heard },
  { family: 'SDXL encoders', classes: /^CLIPTextEncodeSDXL(?!Refiner)/, encodes: ['text_g', 'text_l'] },
  { family: 'encoders with a system prompt', classes: ['CLIPTextEncodeLumina2'], encodes: ['user_prompt'] },
  { family: 'Flux encoders', classes: ['CLIPTextEncodeFlux'], encodes: ['clip_l', 't5xxl'] },
  { family: 'SD3 encoders', classes: ['CLIPTextEncodeSD3'], encodes: ['clip_l', 'clip_g', 't5xxl'] },
  {
    family: 'HiDream encoders',
    classes: ['CLIPTextEncodeHiDream'],
    encodes: ['clip_l', 'clip_g', 't5xxl', 'llama'],
  },
  { family: 'Hunyuan DiT encoders', classes: ['CLIPTextEncodeHunyuanDiT'], encodes: ['bert', 'mt5xl'] },
  { family: 'edit encoders', classes: /^TextEncodeQwenImageEdit/, encodes: ['prompt'] },
  {
    family: 'wildcard encoders',
    classes: ['ImpactWildcardEncode', 'WildcardEncode //Inspire'],
    encodes: ['populated_text'],
    says: strings.populated,
  },
  {
    family: 'loaders that encode',
    classes:
      /^(?:Efficient Loader|Eff\. Loader SDXL|easy (?:full|a1111|comfy|hunyuanDiT|cascade|kolors|flux|pixArt|mochi)Loader|ttN (?:pipeLoader|tinyLoader)|.*pipeLoaderSDXL.*)/,
    encodes: LOADER_TEXTS,
  },
  {
    family: 'video wrappers',
    classes: /^(?:WanVideoTextEncode(?:Cached|Single)?|WanVideo.*TextEncode)$/,
    encodes: both(['positive_prompt', 'prompt'], ['negative_prompt']),
  },
  {
    family: 'video wrappers',
    classes: /^(?:HyVideo|Mochi|Cog|CogVideo|Kolors).*Text\w*Encode/,
    encodes: both(['prompt'], ['negative_prompt']),
  },
  { family: 'video wrappers', classes: ['WanVideoApplyNAG'], passes: ['original_text_embeds'] },
  { family: 'video wrappers', classes: ['WanVideoTextEmbedBridge'], pair: { positive: 0, negative: -1 } },
  {
    family: 'pairs behind a model',
    classes: /^(?:ApplyInstantID|ApplyInstantIDAdvanced|ApplyPulid.*Pair)$/,
    pair: { positive: 1, negative: 2 },
  },
  {
    family: 'loaded conditionings',
    classes: /^(?:LoadConditioning|HyVideoTextEmbedsLoad|WanVideo.*EmbedsLoad)$/,
    unknowable: 'its conditioning is loaded from a file',
  },
  {
    family: 'schedules of prompts',
    classes: /^(?:Batch)?(?:Prompt|Value)Schedule|PromptTravel/i,
    unknowable: 'it has a prompt for each frame',
  },
  { family: 'negative samplers', classes: ['DualCFGGuider'], passes: ['cond1'] },

  // texts
  { family: 'joins', classes: ['StringConcatenate'], says: strings.concatenate },
  { family: 'joins', classes: ['StringFunction|pysssss'], says: strings.stringFunction },
  {
    family: 'joins',
    classes: ['JoinStrings', 'JoinStringMulti'],
    says: strings.join(/^string_?\d+$/, 'delimiter'),
  },
  {
    family: 'joins',
    classes: ['Text Concatenate', 'Text Concatenate (JPS)', 'Text Multiline Concatenate'],
    says: strings.join(/^text_?[a-z\d]$/, 'delimiter'),
  },
  {
    family: 'joins',
    classes: ['CR Text Concatenate', 'ConcatText_Zho'],
    says: strings.join(/^text_?[12]$/, 'separator', ' '),
  },
  { family: 'joins', classes: ['easy promptConcat'], says: strings.join(/^prompt[12]$/, 'separator') },
  {
    family: 'joins',
    classes: ['easy stringJoinLines', 'StringListToString'],
    unknowable: 'its texts are a list',
  },
  { family: 'joins', classes: ['ttN concat'], says: strings.join(/^text\d$/, 'delimiter') },
  { family: 'joins', classes: ['CR Combine Prompt'], says: strings.join(/^part\d$/, 'separator', ', ') },
  { family: 'joins', classes: ['JWStringConcat'], says: strings.join(/^[abc]$/, '') },
  {
    family: 'constants',
    classes: ['Text String'],
    says: (read) => read.text(['text', 'text_b', 'text_c', 'text_d'][read.output] ?? 'text'),
  },
  {
    family: 'replacements',
    classes: ['String Replace (mtb)'],
    says: strings.replace('string', 'old', 'new'),
  },
  { family: 'replacements', classes: ['StringReplace'], says: strings.replace('string', 'find', 'replace') },
  {
    family: 'replacements',
    classes: ['Text Find and Replace'],
    says: strings.replace('text', 'find', 'replace'),
  },
  {
    family: 'replacements',
    classes: ['CR Text Replace'],
    says: strings.replaceEach('text', 'find', 'replace'),
  },
  {
    family: 'replacements',
    classes: ['easy promptReplace'],
    says: strings.replaceEach('prompt', 'find', 'replace'),
  },
  { family: 'replacements', classes: ['RegexReplace'], says: strings.regexReplace },
  { family: 'replacements', classes: ['RegexExtract'], says: strings.regexExtract },
  { family: 'formats', classes: ['StringFormat'], says: strings.format('f_string') },
  { family: 'changes', classes: ['StringSubstring'], says: strings.substring },
  { family: 'changes', classes: ['StringTrim'], says: strings.trim },
  { family: 'changes', classes: ['CaseConverter'], says: strings.changeCase },
  { family: 'changes', classes: ['CR Text Operation'], says: strings.operate },
  {
    family: 'constants',
    classes: ['StringConstantMultiline'],
    says: strings.withoutLineBreaks('string', 'strip_newlines'),
  },
  { family: 'choices', classes: ['ImpactStringSelector'], says: strings.selectLine },
  {
    family: 'wildcards that were filled in',
    classes: ['ImpactWildcardProcessor', 'WildcardProcessor'],
    says: strings.populated,
  },
  {
    family: 'wildcards',
    classes:
      /^(?:DP(?:RandomGenerator|CombinatorialGenerator|FeelingLucky|Jinja|MagicPrompt|Output)|easy wildcards.*|CLIPTextEncodeWithWildcards|.*wildcard.*)$/i,
    says: (read) => read.text(read.names(/^(?:text|prompt|wildcard_text|string)$/)[0] ?? 'text'),
  },
  {
    family: 'tokens that are filled in elsewhere',
    classes: /^(?:Text Parse Tokens|Text Add Tokens?.*|Text Parse Noodle Soup.*)$/,
    says: (read) => {
      const text = read.text('text');
      if (/\[[^[\]\n]*\]/.test(text)) throw notKnown(read.node, 'it fills in tokens');
      return text;
    },
  },
  {
    family: 'texts that may be passed through',
    classes: ['Textbox'],
    says: (read) => read.text('passthrough') || read.text('text'),
  },
  {
    family: 'displays',
    classes:
      /^(?:ShowText\|pysssss|Show ?Text.*|easy showAnything|Display Any \(rgthree\)|PreviewAny|Display ?Text.*|Text to Console)$/i,
    says: (read) => read.text(read.names(/^(?:text|anything|source|any|value)$/)[0] ?? 'text'),
  },
  {
    family: 'styles',
    classes:
      /(?:prompt ?styler|StyleSelector|stylesSelector|Prompt (?:Multiple )?Styles Selector|PromptStyl)/i,
    encodes: both(
      ['text_positive', 'positive', 'positive_prompt', 'text'],
      ['text_negative', 'negative', 'negative_prompt'],
    ),
    partly: styleIn,
  },

  // switches
  { family: 'first that is there', classes: ['Any Switch (rgthree)'], picks: switches.first(/^any_\d+$/) },
  {
    family: 'first that is there',
    classes: /^Context (?:Switch|Switch Big|Merge|Merge Big) \(rgthree\)$/,
    picks: switches.first(/^ctx_\d+$/),
  },
  {
    family: 'numbered switches',
    classes: ['ImpactSwitch', 'LatentSwitch', 'SEGSSwitch', 'GeneralSwitch'],
    picks: switches.numbered('select', 'input'),
  },
  {
    family: 'numbered switches',
    classes: ['ImageMaskSwitch'],
    picks: (read) => switches.numbered('select', 'images')(read) ?? switches.numbered('select', '')(read),
  },
  {
    family: 'numbered switches',
    classes: ['easy anythingIndexSwitch'],
    picks: switches.numbered('index', 'value'),
  },
  {
    family: 'numbered switches',
    classes: ['easy imageIndexSwitch'],
    picks: switches.numbered('index', 'image'),
  },
  {
    family: 'numbered switches',
    classes: ['easy textIndexSwitch'],
    picks: switches.numbered('index', 'text'),
  },
  {
    family: 'numbered switches',
    classes: ['easy conditioningIndexSwitch'],
    picks: switches.numbered('index', 'cond'),
  },
  { family: 'numbered switches', classes: ['easy textSwitch'], picks: switches.numbered('input', 'text') },
  {
    family: 'numbered switches',
    classes: /^CR (?:Text|Conditioning|Image|Latent|Pipe|Model|Clip) Input Switch/,
    picks: switches.numbered('Input', 'text', 'conditioning', 'image', 'latent', 'pipe'),
  },
  {
    family: 'two-way switches',
    classes: ['ImpactConditionalBranch'],
    picks: switches.either('cond', 'tt_value', 'ff_value'),
  },
  {
    family: 'two-way switches',
    classes: ['easy ifElse', 'LazySwitchKJ', 'ComfySwitchNode'],
    picks: (read) =>
      switches.either('boolean' in read.node.inputs ? 'boolean' : 'switch', 'on_true', 'on_false')(read),
  },
  {
    family: 'two-way switches',
    classes: ['easy imageSwitch'],
    picks: switches.either('boolean', 'image_a', 'image_b'),
  },
  {
    family: 'two-way switches',
    classes: ['If ANY return A else B-🔬'],
    picks: switches.either('ANY', 'IF_TRUE', 'IF_FALSE'),
  },
  {
    family: 'two-way switches',
    classes: /^Switch \w+ \[Crystools\]$/,
    picks: switches.either('boolean', 'on_true', 'on_false'),
  },
  {
    family: 'two-way switches',
    classes: ['Text Input Switch'],
    picks: switches.either('boolean', 'text_a', 'text_b'),
  },
  {
    family: 'two-way switches',
    classes: ['Image Input Switch'],
    picks: switches.either('boolean', 'image_a', 'image_b'),
  },
  {
    family: 'two-way switches',
    classes: ['Latent Input Switch'],
    picks: switches.either('boolean', 'latent_a', 'latent_b'),
  },
  {
    family: 'two-way switches',
    classes: ['Conditioning Input Switch'],
    picks: switches.either('boolean', 'conditioning_a', 'conditioning_b'),
  },
  {
    family: 'switches of other packs',
    classes:
      /switch(?!.*sampler)|(?:^|[^a-z])(?:if|branch)(?:[^a-z]|$)|if.?else|(?<!resolution|ratio|size|aspect|style|model|lora|seed|preset) ?selector$/i,
    picks: switches.guessed,
  },

  // language models and chance: behind the rows above, which know some of these by name
  {
    family: 'changes of other packs',
    classes:
      /^(?!.*(?:encode|condition|reroute)).*(?:replace|regex|substitut|split|slice|extract|truncat|dedup|remove|filter|format|template)/i,
    unknowable: 'it changes its text in a way that is not known',
  },
  {
    family: 'language models',
    classes:
      /^(?!.*(?:encode|conditioning|loader)).*(?:ollama|llm|lmstudio|chatgpt|\bgpt(?!.?image)|openai.?(?:chat|api|node|compat)|chat(?:node|bot|glm)?$|gemini(?!.*image)|claude|anthropic|deepseek|gro[qk](?!.*image)|mistral|qwen.*(?:vl|llm|prompt)|llava|vlm|vqa|kimi|kobold|bedrock|phi.?(?:\d|run)|textgenerat|prompt.?extension|extension.?prompt)/i,
    unknowable: 'a language model writes its text',
  },
  {
    family: 'captions',
    classes:
      /caption|interrogat|tagger|florence|moondream|\bblip|clip_?vision_?text|image.?to.?(?:text|prompt)|img2(?:txt|text|prompt)|describe/i,
    unknowable: 'it describes a picture in words of its own',
  },
  {
    family: 'writers',
    classes:
      /prompt.?(?:gen|enhanc|expan|rewrit|upsampl)|magic.?prompt|super.?prompt|one.?button|portrait ?master|translat|promptist/i,
    unknowable: RUN_TIME,
  },
  { family: 'chance', classes: /random|shuffle|lottery|dice/i, unknowable: 'it draws lots' },
  {
    family: 'files and lists',
    classes:
      /(?:load|read).*(?:text(?!.?enc)|txt|csv|prompt|(?<!multi ?)lines?\b)|(?:text|prompt|csv).*(?:load|file|from ?dir|(?<!multi ?)lines?\b|list|batch|queue|iterat)|prompt.?(?:line|list)/i,
    unknowable: 'its text is one of a file or a list',
  },

  // images
  {
    family: 'refiners of a part',
    classes:
      /detailer|(?:face|hand|eye|person).?(?:fix|restor|enhanc|swap)|reactor|segs.?(?:paste|upscal)|DetailerForEach|MaskDetailer/i,
    retouches: 'part',
  },
  {
    family: 'finishers',
    classes:
      /UltimateSDUpscale|SUPIR|CCSR|TiledDiffusion.*Upscale|Magnific|clarity.?upscal|SeedVR|upscale.*(?:conservative|creative)/i,
    retouches: 'finish',
  },
  {
    family: 'partner nodes',
    classes:
      /^(?:Flux2?(?:Pro|Max|Kontext).*(?:Node|Image)|ByteDance(?!2).*|Ideogram.*|Kling.*|Luma(?:Image|Video).*|Minimax.*|Moonvalley.*|Pika\w*|Pixverse(?:Text|Image|Trans).*|Recraft(?:Text|Image).*|Runway.*|OpenAI(?:GPTImage|Dalle|Video).*|Stability.*|Veo.*|Vidu.*|Wan\w*Api|Gemini.*Image\w*|Rodin3D.*|Grok.*Image.*|.*(?:nano.?banana|seedream|dall.?e|midjourney).*)$/i,
    draws: both(['prompt', 'prompt_text', 'text', 'positive_prompt'], ['negative_prompt']),
  },
  {
    family: 'blends',
    classes: /blend|composit|conca|stitch|overlay|merge|collage|montage|latent ?(?:add|interpolate)/i,
    mixes: 'blends',
  },
  {
    family: 'lists of pictures',
    classes:
      /^(?:ImageBatch|ImageBatchMulti|LatentBatch|LatentBatchSeedBehavior|ImageListToImageBatch|MakeImage(?:Batch|List)|BatchImagesNode|Image(?:s)? ?Batch.*|ImpactMakeImage(?:Batch|List))$/,
    mixes: 'lists',
  },
  {
    family: 'pictures from elsewhere',
    classes:
      /(?<!download.*)load(?!.*(?:encoder|model|lora|vae)).*(?:image|video|latent|frame)|image.?load|LoadImage|webcam|(?:image|video).*(?:url|base64)|VHS_Load|GetImage|ExternalImage|InputImage|ImageFromFile/i,
    loads: 'a picture that was loaded',
  },
];

interface Known {
  rows: readonly Family[];
  /** All answers of the rows, those of the first ones before the others. */
  merged: Partial<Family>;
}

const cache = new Map<string, Known>();
/** Class names that are remembered; anybody can send others. */
const MOST_CACHED = 5000;

const fits = ({ classes }: Family, name: string): boolean =>
  classes instanceof RegExp ? classes.test(name) : classes.includes(name);

function known(name: string): Known {
  const before = cache.get(name);
  if (before) return before;
  const rows = FAMILIES.filter((row) => fits(row, name));
  const made = { rows, merged: Object.assign({}, ...rows.toReversed()) };
  if (cache.size >= MOST_CACHED) cache.clear();
  cache.set(name, made);
  return made;
}

/** The rows that a class fits, in their order: the first that answers a question is asked no further. */
export const familiesOf = (name: string): readonly Family[] => known(name).rows;

export const familyOf = (name: string): Partial<Family> => known(name).merged;
