/** Families of nodes: what each does to the way from an image to its prompt. */
import { describe, expect, it } from 'vitest';
import { findInWorkflow } from '../../src/prompt/workflow/find.ts';

type Inputs = Record<string, unknown>;
type Nodes = Record<string, { class_type: string; inputs: Inputs }>;
const node = (class_type: string, inputs: Inputs = {}) => ({ class_type, inputs });
const encode = (text: unknown) => node('CLIPTextEncode', { text, clip: ['ck', 1] });

/** A plain graph: encoders `fox`, `owl` and `bad`, sampler `ks`, decoder `dec`, saver `save`. */
const plain = (sampler: Inputs = {}, saver: Inputs = {}): Nodes => ({
  ck: node('CheckpointLoaderSimple', { ckpt_name: 'm.safetensors' }),
  lat: node('EmptyLatentImage', { width: 64, height: 64 }),
  fox: encode('a red fox'),
  owl: encode('a white owl'),
  bad: encode('blurry'),
  ks: node('KSampler', {
    ...{ seed: 1, model: ['ck', 0], positive: ['fox', 0], negative: ['bad', 0], latent_image: ['lat', 0] },
    ...sampler,
  }),
  dec: node('VAEDecode', { samples: ['ks', 0], vae: ['ck', 2] }),
  save: node('SaveImage', { images: ['dec', 0], filename_prefix: 'x', ...saver }),
});

const find = (nodes: Nodes, id = 'save', input?: string) => findInWorkflow({ graph: nodes, node: id, input });
/** The sampler is guided by output 0 of `x`, or as told. */
const guided = (
  x: Nodes['x'],
  more: Nodes = {},
  positive: unknown = ['x', 0],
  negative: unknown = ['bad', 0],
) => find({ ...plain({ positive, negative }), x: x!, ...more });
/** `fox` encodes the text of `x`. */
const worded = (x: Nodes['x'], more: Nodes = {}) =>
  find({ ...plain(), x: x!, fox: encode(['x', 0]), ...more });
/** The saver shows `x`. */
const shown = (x: Nodes['x'], more: Nodes = {}) =>
  find({ ...plain({}, { images: ['x', 0] }), x: x!, ...more });

const string = (value: string) => node('PrimitiveString', { value });
const FOX = { prompt: 'a red fox', certain: true };

it('tells both sides, the place and the nodes', () => {
  expect(find(plain())).toEqual({
    ...{ prompt: 'a red fox', negative: 'blurry', original: null, certain: true, reason: null },
    from: 'workflow node fox (CLIPTextEncode)',
  });
});

it('has what a text keeps away beside what the other side says', () => {
  const said = { fox: encode('a red fox --no hats') };
  expect(find({ ...plain(), ...said })).toMatchObject({ prompt: 'a red fox', negative: 'blurry, hats' });
  const inline = {
    fox: encode('a red fox\nNegative prompt: hats'),
    bad: node('ConditioningZeroOut', { conditioning: ['fox', 0] }),
  };
  expect(find({ ...plain(), ...inline })).toMatchObject({ prompt: 'a red fox', negative: 'hats' });
});

describe('a pair of conditionings', () => {
  const pair = { positive: ['fox', 0], negative: ['bad', 0] };
  it.each([
    ['behind a model', 'ApplyInstantID', { model: ['ck', 0], ...pair }, 1],
    ['behind a model of another pack', 'ApplySomeIdentity', { model: ['ck', 0], ...pair }, 1],
    ['behind a pipe', 'easy controlnetLoaderADV', { pipe: ['ck', 0], ...pair }, 1],
    ['first', 'ControlNetApplyAdvanced', pair, 0],
    ['before a latent', 'WanImageToVideo', { vae: ['ck', 2], ...pair }, 0],
    [
      'before a latent, for painting in',
      'InpaintModelConditioning',
      { pixels: ['im', 0], mask: ['im', 1], ...pair },
      0,
    ],
  ])('%s', (_where, name, inputs, first) => {
    const found = guided(node(name, inputs), {}, ['x', first], ['x', first + 1]);
    expect(found).toMatchObject({ ...FOX, negative: 'blurry' });
  });

  it.each([
    ['PairConditioningCombine', 'positive_A negative_A positive_B negative_B'],
    ['PairConditioningSetDefaultCombine', 'positive negative positive_DEFAULT negative_DEFAULT'],
    ['PairConditioningSetPropertiesAndCombine', 'positive negative positive_NEW negative_NEW'],
    ['SomePairs', 'positive1 negative1 positive2 negative2'],
  ])('of several: %s (%s)', (name, inputs) => {
    const sources = ['fox', 'bad', 'owl', 'dull'].map((id) => [id, 0]);
    const links = Object.fromEntries(inputs.split(' ').map((input, index) => [input, sources[index]]));
    const found = guided(node(name, links), { dull: encode('dull') }, ['x', 0], ['x', 1]);
    expect(found).toMatchObject({
      prompt: 'a red fox, a white owl',
      negative: 'blurry, dull',
      certain: true,
    });
  });

  it.each([
    ['ConditioningMultiCombine', true],
    ['SomeConditioningThing', false],
  ])('of which %s makes one: certain is %s', (name, certain) => {
    const both = node(name, { conditioning_1: ['fox', 0], conditioning_2: ['owl', 0] });
    expect(guided(both)).toMatchObject({ prompt: 'a red fox, a white owl', certain });
    expect(guided(both, { owl: encode('a red fox') })).toMatchObject(FOX);
  });

  it('with new names', () => {
    const set = node('PairConditioningSetProperties', {
      ...{ positive_NEW: ['fox', 0], negative_NEW: ['bad', 0], strength: 1, set_cond_area: 'default' },
    });
    expect(guided(set, {}, ['x', 0], ['x', 1])).toMatchObject({ ...FOX, negative: 'blurry' });
  });

  it.each([
    [1, 'a red fox'],
    [0, 'a white owl'],
    [0.5, 'a red fox, a white owl'],
  ])('of which the average has a share of %d', (conditioning_to_strength, prompt) => {
    const both = { conditioning_to: ['fox', 0], conditioning_from: ['owl', 0] };
    expect(guided(node('ConditioningAverage', { ...both, conditioning_to_strength }))).toMatchObject({
      prompt,
    });
  });

  it('of which the negative one is alone behind a model', () => {
    expect(guided(node('ApplySomeIdentity', { model: ['ck', 0], ...pair }), {}, ['x', 1])).toMatchObject(FOX);
  });

  it.each(['Efficient Loader', 'Some Loader'])('of texts that %s encodes', (name) => {
    const texts = { a: string('a red fox'), b: string('blurry') };
    const loader = node(name, { ckpt_name: 'm', positive: ['a', 0], negative: ['b', 0], batch_size: 1 });
    expect(guided(loader, texts, ['x', 1], ['x', 2])).toMatchObject({ ...FOX, negative: 'blurry' });
  });

  it('in a guider with a second condition', () => {
    const guider = node('DualCFGGuider', {
      model: ['ck', 0],
      cond1: ['fox', 0],
      cond2: ['owl', 0],
      negative: ['bad', 0],
    });
    const nodes = {
      ...plain(),
      ks: node('SamplerCustomAdvanced', { guider: ['g', 0], latent_image: ['lat', 0] }),
      g: guider,
    };
    expect(find(nodes)).toMatchObject({ ...FOX, negative: 'blurry' });
  });

  it('in a basic pipe, through a context, or through a loader that begins the pipe', () => {
    const to = node('ToBasicPipe', { model: ['ck', 0], positive: ['fox', 0], negative: ['bad', 0] });
    expect(
      guided(node('FromBasicPipe', { basic_pipe: ['to', 0] }), { to }, ['x', 3], ['x', 4]),
    ).toMatchObject(FOX);
    const context = node('Context (rgthree)', { base_ctx: ['c', 0] });
    const c = node('Context (rgthree)', { positive: ['fox', 0], negative: ['bad', 0] });
    expect(guided(context, { c }, ['x', 4], ['x', 5])).toMatchObject({ ...FOX, negative: 'blurry' });
    const loader = node('easy fluxLoader', { ckpt_name: 'm', positive: 'a red fox' });
    const k = node('easy kSampler', { pipe: ['pre', 0], image_output: 'Hide' });
    const pre = node('easy preSampling', { pipe: ['x', 0], seed: 1 });
    expect(find({ ...plain({}, { images: ['k', 1] }), x: loader, pre, k })).toMatchObject(FOX);
    expect(find({ ...plain(), x: loader, pre, k }, 'k')).toMatchObject(FOX);
  });
});

describe('a switch', () => {
  const two = { any_01: ['fox', 0], any_02: ['owl', 0] };
  it.each([
    ['Any Switch (rgthree)', two, 'a red fox'],
    ['Any Switch (rgthree)', { any_02: ['owl', 0] }, 'a white owl'],
    ['ImpactSwitch', { select: 2, input1: ['fox', 0], input2: ['owl', 0] }, 'a white owl'],
    ['easy conditioningIndexSwitch', { index: 1, cond0: ['fox', 0], cond1: ['owl', 0] }, 'a white owl'],
    [
      'CR Conditioning Input Switch',
      { Input: 1, conditioning1: ['fox', 0], conditioning2: ['owl', 0] },
      'a red fox',
    ],
    [
      'Conditioning Input Switch',
      { boolean: false, conditioning_a: ['fox', 0], conditioning_b: ['owl', 0] },
      'a white owl',
    ],
    ['ImpactConditionalBranch', { cond: true, tt_value: ['fox', 0], ff_value: ['owl', 0] }, 'a red fox'],
    ['LazySwitchKJ', { switch: false, on_true: ['fox', 0], on_false: ['owl', 0] }, 'a white owl'],
    [
      'Switch conditioning [Crystools]',
      { boolean: true, on_true: ['fox', 0], on_false: ['owl', 0] },
      'a red fox',
    ],
    ['SomeSwitch', { index: 2, input_1: ['fox', 0], input_2: ['owl', 0] }, 'a white owl'],
    ['Some If Else', { condition: true, if_true: ['fox', 0], if_false: ['owl', 0] }, 'a red fox'],
  ])('%s %j', (name, inputs, prompt) => {
    expect(guided(node(name, inputs))).toMatchObject({ prompt, certain: true });
  });

  it('with its number in another node', () => {
    const inputs = { select: ['n', 0], input1: ['fox', 0], input2: ['owl', 0] };
    expect(guided(node('ImpactSwitch', inputs), { n: node('PrimitiveInt', { value: 2 }) }).prompt).toBe(
      'a white owl',
    );
  });

  it('that is set when the workflow runs', () => {
    const inputs = { select: ['n', 0], input1: ['fox', 0], input2: ['owl', 0] };
    const n = node('ImageCounter', { image: ['im', 0], start: 1 });
    expect(guided(node('ImpactSwitch', inputs), { n })).toMatchObject({
      prompt: null,
      reason: expect.stringContaining('when the workflow runs'),
    });
  });

  it('of texts and of images', () => {
    expect(worded(node('easy textSwitch', { input: 2, text1: 'a cat', text2: 'a dog' })).prompt).toBe(
      'a dog',
    );
    const im = { l: node('LoadImage', { image: 'a.png' }) };
    expect(
      shown(node('ImpactSwitch', { select: 1, input1: ['dec', 0], input2: ['l', 0] }), im),
    ).toMatchObject(FOX);
    expect(
      shown(node('ImpactSwitch', { select: 2, input1: ['dec', 0], input2: ['l', 0] }), im).prompt,
    ).toBeNull();
  });
});

describe('a text', () => {
  it.each([
    ['StringConcatenate', { string_a: 'a red', string_b: 'fox', delimiter: ' ' }, 'a red fox'],
    ['StringReplace', { string: 'a blue fox', find: 'blue', replace: 'red' }, 'a red fox'],
    ['StringReplace', { string: 'a $1 fox', find: '$1', replace: '$& red' }, 'a $& red fox'],
    [
      'RegexReplace',
      { string: 'a blue fox', regex_pattern: 'b\\w+', replace: 'red', case_insensitive: true },
      'a red fox',
    ],
    [
      'RegexReplace',
      { string: 'fox red', regex_pattern: '(\\w+) (\\w+)', replace: 'a \\2 \\1' },
      'a red fox',
    ],
    [
      'RegexExtract',
      { string: 'prompt=a red fox;', regex_pattern: '=(.*);', mode: 'First Group', group_index: 1 },
      'a red fox',
    ],
    ['StringSubstring', { string: 'xxa red foxyy', start: 2, end: 11 }, 'a red fox'],
    ['StringTrim', { string: '--', mode: 'Both' }, null],
    ['CaseConverter', { string: 'A RED FOX', mode: 'lowercase' }, 'a red fox'],
    [
      'StringFunction|pysssss',
      { action: 'append', tidy_tags: 'yes', text_a: 'a red fox', text_b: 'snow', text_c: '' },
      'a red fox, snow',
    ],
    [
      'StringFunction|pysssss',
      { action: 'replace', tidy_tags: 'no', text_a: 'a X fox', text_b: 'X', text_c: 'red' },
      'a red fox',
    ],
    [
      'Text Concatenate',
      { delimiter: ', ', clean_whitespace: 'true', text_a: 'a red fox', text_b: 'snow' },
      'a red fox, snow',
    ],
    ['JoinStrings', { delimiter: ' in ', string1: 'a red fox', string2: 'snow' }, 'a red fox in snow'],
    ['CR Text Concatenate', { separator: ' ', text1: 'a red', text2: 'fox' }, 'a red fox'],
    ['StringFormat', { f_string: 'a {colour} fox', 'values.colour': 'red' }, 'a red fox'],
    [
      'ImpactWildcardProcessor',
      { wildcard_text: 'a {red|blue} fox', populated_text: 'a red fox', mode: 'populate' },
      'a red fox',
    ],
    [
      'ImpactWildcardProcessor',
      { wildcard_text: 'a red fox', populated_text: '', mode: 'populate' },
      'a red fox',
    ],
    ['DPRandomGenerator', { text: 'a red fox', seed: 1 }, 'a red fox'],
    ['Text Multiline', { text: '# mine\na red fox' }, 'a red fox'],
    ['String Replace (mtb)', { string: 'a blue fox', old: 'blue', new: 'red' }, 'a red fox'],
    ['ttN concat', { text1: 'a red', text2: 'fox', delimiter: ' ' }, 'a red fox'],
    ['easy positive', { positive: 'a red fox' }, 'a red fox'],
    ['SomeTextNode', { prompt: 'a red fox', negative_prompt: 'blurry' }, 'a red fox'],
    [
      'CR Text Replace',
      { text: 'a blue owl', find1: 'blue', replace1: 'red', find2: 'owl', replace2: 'fox', find3: '' },
      'a red fox',
    ],
    ['easy promptReplace', { prompt: 'a blue fox', find1: 'blue', replace1: 'red' }, 'a red fox'],
    ['CR Text Operation', { text: 'a red fox', operation: 'uppercase' }, 'A RED FOX'],
    ['CR Text Operation', { text: 'xof der a', operation: 'reverse' }, 'a red fox'],
  ])('of %s %j', (name, inputs, prompt) => {
    const found = worded(node(name, inputs));
    expect(found.prompt).toBe(prompt);
    expect(found.certain).toBe(true);
  });

  it.each([
    ['SomeTextNode', { text: 'a blue fox', old: 'blue', new: 'red' }],
    ['MyPromptTool', { prompt: 'a red fox', operation: 'uppercase' }],
    ['StringThing', { string: ['a', 0], suffix: 'in snow' }],
    ['StringThing', { string: ['a', 0], prefix: 'in snow' }],
  ])('of a node that has more words, %s %j, may be another', (name, inputs) => {
    expect(worded(node(name, inputs), { a: string('a red fox') }).certain).toBe(false);
  });

  it.each([
    ['SomeTextNode', { text: 'a red fox', title: 'Prompt', filename_prefix: 'x' }],
    ['SomePromptBox', { prompt: 'a red fox', seed: 4, negative_prompt: 'blurry' }],
  ])('of a node with words for people, %s %j, is certain', (name, inputs) => {
    expect(worded(node(name, inputs))).toMatchObject(FOX);
  });

  it('that is shown is the one that comes in, not the one of an earlier run', () => {
    const a = { a: string('a red fox') };
    for (const [name, inputs] of [
      ['ShowText|pysssss', { text: ['a', 0], text_0: 'an old frog' }],
      ['easy showAnything', { anything: ['a', 0], text: 'an old frog' }],
      ['PreviewAny', { source: ['a', 0], preview: 'an old frog' }],
      ['Textbox', { passthrough: ['a', 0], text: 'an old frog' }],
    ] as const)
      expect(worded(node(name, inputs), a)).toMatchObject(FOX);
  });

  it.each([
    ['OllamaGenerate', { prompt: 'Write a prompt about foxes.', model: 'm' }, 'language model'],
    ['GeminiNode', { prompt: 'Write a prompt.', seed: 1 }, 'language model'],
    ['OpenAIChatNode', { prompt: 'Write a prompt.' }, 'language model'],
    ['AILab_QwenVL', { custom_prompt: 'Describe.', image: ['im', 0] }, 'language model'],
    ['Florence2Run', { text_input: 'x', image: ['im', 0] }, 'describes a picture'],
    ['WD14Tagger|pysssss', { image: ['im', 0], tags: 'old' }, 'describes a picture'],
    ['Text Random Line', { text: 'a fox\nan owl', seed: 1 }, 'draws lots'],
    ['Load Text File', { file_path: 'a.txt' }, 'a file or a list'],
    ['easy promptLine', { prompt: 'a fox\nan owl', start_index: 0, max_rows: 2 }, 'a file or a list'],
    ['DPRandomGenerator', { text: 'a {red|blue} fox', seed: 1 }, 'not filled in'],
    ['ImpactWildcardProcessor', { wildcard_text: 'a __x__ fox', populated_text: '' }, 'not filled in'],
    ['Text Parse Tokens', { text: 'a [colour] fox' }, 'fills in tokens'],
    ['PromptEnhancer', { prompt: 'a fox' }, 'when the workflow runs'],
    [
      'RegexReplace',
      { string: `${'a'.repeat(40)}!`, regex_pattern: '(a+)+$', replace: 'x' },
      'regular expression',
    ],
    ['SomeReplacer', { text: 'a BLUE fox', a: 'BLUE', b: 'red' }, 'not known'],
    ['OpenAI_API_Chat', { prompt: 'Write!' }, 'language model'],
    ['Qwen2_VQA', { text: 'Describe' }, 'language model'],
    ['MiniCPM_VQA', { text: 'Describe' }, 'language model'],
    ['KoboldCpp', { prompt: 'Write!' }, 'language model'],
    ['GrokNode', { prompt: 'Write!' }, 'language model'],
    ['PhiRunNode', { text: 'Write!' }, 'language model'],
    ['BedrockNovaText', { prompt: 'Write!' }, 'language model'],
    ['Plush-ExtensionPrompt', { prompt: 'Write!' }, 'language model'],
    ['SomeTextNode', { prompt: 'Write!', model: 'small-9b' }, 'language model'],
    ['MyPrompts', { prompt: 'Write!', temperature: 0.7, max_tokens: 90 }, 'language model'],
    ['MyPrompts', { text: 'Write!', system_prompt: 'You are a poet' }, 'language model'],
    ['CR Text Operation', { text: 'a fox', operation: 'rot13' }, 'not known'],
    ['SomeMixer', { text_a: 'a fox', text_b: 'an owl' }, 'makes a text of several'],
  ])('of %s %j is not known', (name, inputs, reason) => {
    expect(worded(node(name, inputs))).toMatchObject({
      prompt: null,
      from: null,
      reason: expect.stringContaining(reason),
    });
  });

  it('is the one of the output that is asked for', () => {
    const texts = node('Text String', { text: 'an owl', text_b: 'a red fox', text_c: '', text_d: '' });
    expect(find({ ...plain(), x: texts, fox: encode(['x', 1]) })).toMatchObject(FOX);
  });

  it('of a node that is not known may be another', () => {
    expect(worded(node('Foo', { text: 'a red fox' }))).toMatchObject({ prompt: 'a red fox', certain: false });
  });

  it('in a style keeps its own words, and the rest is said', () => {
    const styler = (style: string) =>
      node('SDXLPromptStyler', { text_positive: 'a red fox', text_negative: 'blurry', style });
    const found = (style: string) =>
      find({
        ...plain({ positive: ['p', 0], negative: ['n', 0] }),
        x: styler(style),
        p: encode(['x', 0]),
        n: encode(['x', 1]),
      });
    expect(found('sai-cinematic')).toMatchObject({ prompt: 'a red fox', negative: 'blurry', certain: false });
    const added = node('CR Text Concatenate', { text1: 'a red fox', text2: ['s', 0], separator: ', ' });
    const s = node('SDXLPromptStyler', { text_positive: '', text_negative: '', style: 'enhance' });
    expect(worded(added, { s })).toMatchObject({ prompt: 'a red fox', certain: false });
    expect(found('base')).toMatchObject({ prompt: 'a red fox', negative: 'blurry', certain: true });
  });
});

describe('an encoder', () => {
  it.each([
    ['CLIPTextEncodeSDXL', { text_g: 'a red fox', text_l: 'a red fox, snow' }, 'a red fox, snow'],
    ['CLIPTextEncodeFlux', { clip_l: 'fox', t5xxl: 'a red fox in snow' }, 'a red fox in snow'],
    ['CLIPTextEncodeHiDream', { clip_l: 'a', clip_g: '', t5xxl: 'b', llama: 'c' }, 'a, b, c'],
    ['CLIPTextEncodeLumina2', { system_prompt: 'superior', user_prompt: 'a red fox' }, 'a red fox'],
    ['TextEncodeQwenImageEditPlus', { prompt: 'make it red', image1: ['im', 0] }, 'make it red'],
    [
      'ImpactWildcardEncode',
      { wildcard_text: 'a {b|c}', populated_text: 'a red fox', clip: ['ck', 1] },
      'a red fox',
    ],
    ['GLIGENTextBoxApply', { conditioning_to: ['fox', 0], text: 'a sun', clip: ['ck', 1] }, 'a red fox'],
    ['SomeTextEncode', { text: 'a red fox', clip: ['ck', 1] }, 'a red fox'],
    [
      'ConditioningConcat',
      { conditioning_to: ['fox', 0], conditioning_from: ['owl', 0] },
      'a red fox, a white owl',
    ],
    ['ConditioningSetTimestepRange', { conditioning: ['fox', 0], start: 0, end: 0.5 }, 'a red fox'],
    ['unCLIPConditioning', { conditioning: ['fox', 0], clip_vision_output: ['im', 0] }, 'a red fox'],
    ['ConditioningZeroOut', { conditioning: ['fox', 0] }, null],
  ])('%s %j', (name, inputs, prompt) => {
    expect(guided(node(name, inputs)).prompt).toBe(prompt);
  });
});

describe('a picture', () => {
  const im = { l: node('LoadImage', { image: 'a.png' }) };
  it.each([
    [
      'FaceDetailer',
      {
        image: ['dec', 0],
        model: ['ck', 0],
        positive: ['owl', 0],
        negative: ['bad', 0],
        bbox_detector: ['im', 0],
      },
    ],
    ['DetailerForEach', { image: ['dec', 0], segs: ['im', 0], positive: ['owl', 0], negative: ['bad', 0] }],
    [
      'Some Inpainter',
      { image: ['dec', 0], sam_model: ['im', 0], positive: ['owl', 0], negative: ['bad', 0], prompt: 'eyes' },
    ],
    [
      'UltimateSDUpscale',
      { image: ['dec', 0], model: ['ck', 0], positive: ['owl', 0], negative: ['bad', 0] },
    ],
    ['ReActorFaceSwap', { input_image: ['dec', 0], source_image: ['l', 0] }],
    ['GroundingDinoSAMSegment (segment anything)', { prompt: 'face', image: ['dec', 0] }],
    ['SAM3Segment', { text_prompt: 'face', prompt: 'face', image: ['dec', 0], seed: 1 }],
    ['ColorMatch', { image_ref: ['l', 0], image_target: ['dec', 0] }],
    ['ImageUpscaleWithModel', { upscale_model: ['im', 0], image: ['dec', 0] }],
    ['SomeFilter', { picture: ['dec', 0], text: 'sharp', amount: 1 }],
    ['ImageCompositeMasked', { destination: ['dec', 0], source: ['l', 0], mask: ['im', 1] }],
    ['AssayGate', { images: ['dec', 0], prompt: 'words of a person' }],
  ])('behind %s is that of its sampler', (name, inputs) => {
    expect(shown(node(name, inputs), im)).toMatchObject({ ...FOX, negative: 'blurry' });
  });

  it('that was loaded has the prompt of its sampler, if it has one', () => {
    const to = { ...im, e: node('VAEEncode', { pixels: ['l', 0], vae: ['ck', 2] }) };
    expect(find({ ...plain({ latent_image: ['e', 0] }), ...to })).toMatchObject(FOX);
    expect(shown(node('ImageScale', { image: ['l', 0] }), im)).toMatchObject({
      prompt: null,
      reason: 'node l (LoadImage) is a picture that was loaded',
    });
    const finish = node('UltimateSDUpscale', { image: ['l', 0], positive: ['fox', 0], negative: ['bad', 0] });
    expect(shown(finish, im)).toMatchObject(FOX);
    const part = node('FaceDetailer', { image: ['l', 0], positive: ['owl', 0], negative: ['bad', 0] });
    expect(shown(part, im).prompt).toBeNull();
  });

  const second = {
    ks2: node('KSampler', { positive: ['owl', 0], negative: ['bad', 0], latent_image: ['lat', 0] }),
    dec2: node('VAEDecode', { samples: ['ks2', 0] }),
  };
  it('of two, put together, is in doubt', () => {
    const blend = node('ImageBlend', { image1: ['dec', 0], image2: ['dec2', 0] });
    expect(shown(blend, second)).toMatchObject({ prompt: 'a red fox, a white owl', certain: false });
    expect(shown(node('ImageBatch', { image1: ['dec', 0], image2: ['dec2', 0] }), second)).toMatchObject({
      prompt: null,
      reason: expect.stringContaining('different prompts'),
    });
    expect(shown(node('ImageBatch', { image1: ['dec', 0], image2: ['dec', 0] }))).toMatchObject(FOX);
  });

  const two = (name: string, ...inputs: string[]): Nodes['x'] =>
    node(name, { [inputs[0]!]: ['dec', 0], [inputs[1]!]: ['dec2', 0] });
  it.each([
    ['PorterDuffImageComposite', 'source', 'destination'],
    ['ImageConcanate', 'image1', 'image2'],
    ['LayerUtility: ImageBlend V2', 'background_image', 'layer_image'],
    ['Image Stitch', 'image_a', 'image_b'],
    ['Image Overlay', 'base_image', 'overlay_image'],
    ['ImageAddMulti', 'image_1', 'image_2'],
    ['MyNode', 'a', 'b'],
    ['MyNode', 'under', 'overlay'],
    ['MyNode', 'image1', 'z'],
    ['MyNode', 'first_image', 'second_image'],
    ['MyNode', 'content', 'style'],
  ])('of two by %s (%s, %s) has both prompts, in doubt', (name, ...inputs) => {
    const found = shown(two(name, ...inputs), second);
    expect(found).toMatchObject({ certain: false, reason: expect.stringContaining('different prompts') });
    expect(found.prompt!.split(', ').toSorted()).toEqual(['a red fox', 'a white owl']);
    expect(shown(two(name, ...inputs), { ...second, owl: encode('a red fox') })).toMatchObject(FOX);
  });

  it('that a node that is not known changes is in doubt when another comes into it', () => {
    const changed = node('SomeTransfer', { reference: ['dec2', 0], image: ['dec', 0] });
    expect(shown(changed, second)).toMatchObject({ prompt: 'a red fox', certain: false });
    const unknown = { ...second, owl: encode(['llm', 0]), llm: node('OllamaGenerate', { prompt: 'Write' }) };
    expect(shown(changed, unknown)).toMatchObject({ prompt: 'a red fox', certain: false });
    expect(shown(changed, { ...im, dec2: node('ImageScale', { image: ['l', 0] }) })).toMatchObject(FOX);
  });

  it.each([
    ['Image Comparer (rgthree)', 'image_a', 'image_b'],
    ['CR Simple Image Compare', 'image1', 'image2'],
    ['SomeComparison', 'before', 'after'],
    ['BatchImagesNode', 'images0', 'images1'],
  ])('of several that %s shows is known when they have one prompt', (name, ...inputs) => {
    expect(shown(two(name, ...inputs), second)).toMatchObject({
      prompt: null,
      reason: expect.stringContaining('different prompts'),
    });
    expect(shown(two(name, ...inputs), { ...second, owl: encode('a red fox') })).toMatchObject(FOX);
  });

  it.each([
    ['easy imageIndexSwitch', { index: 0, image0: ['dec', 0], image1: ['dec2', 0] }],
    ['easy imageIndexSwitch', { index: 1, image0: ['dec2', 0], image1: ['dec', 0] }],
    ['easy anythingIndexSwitch', { index: 0, value0: ['dec', 0], value1: ['dec2', 0] }],
    ['CR Image Input Switch', { Input: 2, image1: ['dec2', 0], image2: ['dec', 0] }],
    ['SomeSwitch', { select: 3, image1: ['dec2', 0], picture3: ['dec', 0] }],
  ])('that %s %j lets through is that of its number', (name, inputs) => {
    expect(shown(node(name, inputs), second)).toMatchObject(FOX);
  });

  it('of two samplers in a row is that of the last one with words', () => {
    const refine = {
      ...second,
      ks2: node('KSampler', { positive: ['owl', 0], negative: ['bad', 0], latent_image: ['ks', 0] }),
    };
    expect(find({ ...plain({}, { images: ['dec2', 0] }), ...refine }).prompt).toBe('a white owl');
    expect(find({ ...plain({}, { images: ['dec2', 0] }), ...refine, owl: encode('') }).prompt).toBe(
      'a red fox',
    );
    const tags = { owl: encode('masterpiece, best quality, <lora:detail:0.5>') };
    expect(find({ ...plain({}, { images: ['dec2', 0] }), ...refine, ...tags })).toMatchObject(FOX);
    expect(
      find({ ...plain({}, { images: ['dec2', 0] }), ...refine, owl: encode('a {red|blue} owl') }).prompt,
    ).toBeNull();
    expect(find({ ...plain(), fox: encode('masterpiece, best quality') })).toMatchObject({
      prompt: null,
      reason: expect.stringContaining('nothing but tags'),
    });
  });

  it('of two samplers for a mask is that of the one below', () => {
    const to = node('ToBasicPipe', { model: ['ck', 0], positive: ['fox', 0], negative: ['bad', 0] });
    const base = node('KSamplerAdvancedProvider', { cfg: 7, basic_pipe: ['to', 0] });
    const two = node('TwoSamplersForMask', {
      latent_image: ['lat', 0],
      base_sampler: ['base', 0],
      mask_sampler: ['m', 0],
    });
    const nodes = { to, base, two, d: node('VAEDecode', { samples: ['two', 0] }) };
    expect(find({ ...plain({}, { images: ['d', 0] }), ...nodes })).toMatchObject(FOX);
  });

  it.each([
    ['OpenAIGPTImage1', { prompt: 'a red fox', seed: 1 }],
    ['FluxKontextProImageNode', { prompt: 'a red fox', input_image: ['l', 0], seed: 1 }],
    ['GeminiImageNode', { prompt: 'a red fox', images: ['l', 0], seed: 1 }],
    ['IdeogramV3', { prompt: 'a red fox', magic_prompt_option: 'OFF' }],
    ['SomeText2Image', { prompt: 'a red fox', width: 64 }],
  ])('of %s %j has its words', (name, inputs) => {
    expect(shown(node(name, inputs), im)).toMatchObject(FOX);
  });

  it('of wrappers with a way of their own', () => {
    const wan = {
      t: node('WanVideoTextEncode', { positive_prompt: 'a red fox', negative_prompt: 'blurry' }),
      s: node('WanVideoSampler', { text_embeds: ['t', 0], image_embeds: ['im', 0] }),
    };
    expect(shown(node('WanVideoDecode', { samples: ['s', 0] }), wan)).toMatchObject({
      ...FOX,
      negative: 'blurry',
    });
    const hy = {
      t: node('HyVideoTextEncode', { prompt: 'a red fox' }),
      s: node('HyVideoSampler', { hyvid_embeds: ['t', 0] }),
    };
    expect(shown(node('HyVideoDecode', { samples: ['s', 0] }), hy)).toMatchObject(FOX);
  });

  it('of a saver that takes texts itself is that of the sampler', () => {
    const saver = node('Image Saver', { images: ['dec', 0], positive: 'unknown', negative: 'unknown' });
    expect(find({ ...plain(), save: saver })).toMatchObject(FOX);
    const linked = node('Image Saver', { images: ['dec', 0], positive: ['w', 0], negative: 'unknown' });
    expect(find({ ...plain(), save: linked, w: string('for the file name') })).toMatchObject(FOX);
  });

  it('of nodes that were made while the workflow ran is that of their maker', () => {
    const nodes = {
      ...plain(),
      '7': node('easy forLoopEnd', { flow: ['start', 0], initial_value1: ['dec', 0] }),
    };
    expect(find(nodes, '7.0.0.3')).toMatchObject(FOX);
    expect(find(nodes, '8.0.1')).toMatchObject({ prompt: null, reason: 'the workflow has no node 8.0.1' });
  });

  it('is that of one input when it is named', () => {
    const gate = node('AssayGate', { images: ['dec', 0], mask: ['im', 0] });
    expect(find({ ...plain(), x: gate }, 'x', 'images')).toMatchObject(FOX);
    expect(find({ ...plain(), x: gate }, 'x', 'image')).toMatchObject({
      prompt: null,
      reason: 'nothing is connected to image',
    });
  });
});

it('takes names that objects have for what they are', () => {
  for (const id of ['__proto__', 'constructor', 'toString'])
    expect(find(plain(), id)).toMatchObject({ prompt: null });
  expect(guided(node('toString', { constructor: ['fox', 0] })).prompt).toBe('a red fox');
});
