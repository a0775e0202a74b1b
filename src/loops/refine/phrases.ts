/**
 * Phrases that prompts of text-to-image models are commonly ended with, by what they are about. They say how a picture is
 * made, and nothing about what it shows; none names a person, a brand or a site, or has a comma. `unless`: words that rule them out.
 */
export interface Bank {
  about: string;
  phrases: readonly string[];
  /** The prompt has chosen already. */
  unless: RegExp;
}

const PAINTED =
  /\b(paint\w*|draw\w*|sketch\w*|anime|manga|cartoon|comic|watercolou?r|illustrat\w*|pixel art|logo|icon|vector|render\w*|3d|statue|sculpture|engraving|woodcut)\b/i;
const SHOT = /\b(photo\w*|shot|lens|camera|bokeh|\d+ ?mm|polaroid|film)\b/i;

export const BANKS: readonly Bank[] = [
  {
    about: 'light',
    phrases: [
      'soft natural light',
      'warm light of the late afternoon',
      'light from one side',
      'even studio light',
      'light from behind with a bright rim',
    ],
    unless: /\b(light\w*|lit|sun\w*|night|dark\w*|dawn|dusk|moon\w*|neon|shadow\w*)\b/i,
  },
  {
    about: 'composition',
    phrases: [
      'the subject in the middle and fully in view',
      'close view with a plain background',
      'balanced composition with room around the subject',
      'seen from eye level',
    ],
    unless: /\b(close[- ]?up|wide|portrait|view|angle|composition|background|panorama|macro)\b/i,
  },
  {
    about: 'detail',
    phrases: [
      'sharp focus with fine detail',
      'clear and well-defined edges',
      'rich texture of the surfaces',
      'clean and uncluttered',
    ],
    unless: /\b(detail\w*|sharp|texture\w*|blur\w*|minimal\w*)\b/i,
  },
  {
    about: 'colour',
    phrases: ['natural colours', 'rich and harmonious colours', 'few muted colours', 'strong contrast'],
    unless: /\b(colou?r\w*|monochrome|black and white|sepia|palette|contrast|pastel)\b/i,
  },
  {
    about: 'camera',
    phrases: [
      'photograph with a 50 mm lens',
      'photograph with a shallow depth of field',
      'professional photograph',
    ],
    unless: new RegExp(`${PAINTED.source}|${SHOT.source}`, 'i'),
  },
  {
    about: 'craft',
    phrases: ['skilled and careful brushwork', 'confident and clean lines', 'finished with care'],
    unless: new RegExp(`${SHOT.source}|^(?!.*${PAINTED.source})`, 'is'),
  },
];
