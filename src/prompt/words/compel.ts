/** Compel's syntax beside its brackets: `fox++`, `("a", "b").blend(0.5, 0.5)`, `fox.swap("owl")`. */

/** Two marks at least, behind a word: `C++` is one, `fox++` and `owl--` are weighted. */
const MARKS = /(?<=\p{L}{3})(?:\+{2,}|-{2,})(?=[\s,.)]|$)/gu;
const LIST = /\(\s*((?:"[^"]*"\s*,\s*){0,20}"[^"]*")\s*\)\.(?:blend|and)\([^()]*\)/g;
const SWAP = /(?:\("?([^()"]*)"?\)|"[^"]*"|[\p{L}\p{N}_-]{1,60})\.swap\(\s*("[^"]*"|[^(),"]*)[^()]*\)/gu;

const unquoted = (text: string): string => text.replace(/^"|"$/g, '');

/** Of a list the texts of all; of what is swapped what is put in its place, since that is to be seen. */
export function withoutCompel(text: string): string {
  const calls = /\.(?:blend|and|swap)\(/.test(text);
  const flat = calls ? text.replace(LIST, listed).replace(SWAP, swapped) : text;
  return flat.replace(MARKS, '');
}

const listed = (_: string, list: string): string =>
  [...list.matchAll(/"([^"]*)"/g)].map(([, part]) => part!.trim()).join(', ');

const swapped = (_: string, __: string, instead: string): string => unquoted(instead.trim());
