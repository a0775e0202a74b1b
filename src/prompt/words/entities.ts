/** HTML entities that hide the syntax of prompts, and those by number. Others are left to the tokenizer. */

const NAMES: Record<string, string> = {
  ...{
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    apos: "'",
    nbsp: ' ',
    lpar: '(',
    rpar: ')',
    colon: ':',
    comma: ',',
  },
  ...{
    lbrack: '[',
    rbrack: ']',
    lbrace: '{',
    rbrace: '}',
    vert: '|',
    lowbar: '_',
    bsol: '\\',
    sol: '/',
    num: '#',
  },
  ...{
    hellip: '…',
    ndash: '–',
    mdash: '—',
    lsquo: '‘',
    rsquo: '’',
    ldquo: '“',
    rdquo: '”',
    newline: '\n',
    tab: ' ',
  },
};
const ENTITY = /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,8}));/gi;
const LAST = 0x10ffff;

const byNumber = (code: number): string => (code > 0 && code <= LAST ? String.fromCodePoint(code) : '');

export const decodeEntities = (text: string): string =>
  text.replace(ENTITY, (whole, hex?: string, decimal?: string, name?: string) => {
    if (hex !== undefined) return byNumber(Number.parseInt(hex, 16));
    if (decimal !== undefined) return byNumber(Number(decimal));
    const key = name!.toLowerCase();
    return Object.hasOwn(NAMES, key) ? NAMES[key]! : whole;
  });
