/** HTML from templates in which every text is escaped unless it is markup already. */

/** Markup that may go into a page as it is. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escapeText = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);

type Part = Markup | string | number | null | false | undefined | readonly Part[];

/**
 * Joins a template: texts are escaped for element content and quoted attributes, lists are joined, absent parts vanish.
 *
 * @example html`<td title="${name}">${cells.map((c) => html`<b>${c}</b>`)}</td>`
 */
export const html = (strings: TemplateStringsArray, ...parts: Part[]): Markup =>
  new Markup(strings.reduce((page, s, i) => page + render(parts[i - 1]) + s));

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(render).join('');
  return escapeText(String(part));
}
