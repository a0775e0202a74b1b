/**
 * The XMP property `assay` in a packet. Packets are edited as bytes, so that whatever else they say stays as it is, and
 * read as XML, so that one rewritten by another tool is understood.
 */
import { createRequire } from 'node:module';
import { latin1, latin1Text, MAX_FOUND, refuse } from './bytes.ts';
import type { FileText } from './file-text.ts';

/** Namespace of the property. It ends in `#` because RDF joins it with the property's name. */
export const NAMESPACE = 'urn:assay:score:1#';
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';
/** Largest packet that is taken apart, in bytes; the parser's time grows faster than the packet. */
const MAX_PACKET = 128 * 1024;

const description = (about: string, text: string): string =>
  `<rdf:Description xmlns:rdf="${RDF}" rdf:about=${about} xmlns:assay="${NAMESPACE}">` +
  `<assay:assay>${text}</assay:assay></rdf:Description>`;

const newPacket = (text: string): string =>
  [
    '<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}">`,
    description('""', text),
    '</rdf:RDF></x:xmpmeta>',
    '<?xpacket end="w"?>',
  ].join('\n');

interface Element {
  localName: string;
  textContent: string | null;
  parentElement: Element | null;
  attributes: Iterable<{ name: string; value: string }>;
  getAttribute(name: string): string | null;
}

/** Loaded at the first packet with a score in it: most processes never meet one. */
function elementsOf(xml: string): Element[] {
  const { DOMParser } = createRequire(import.meta.url)('linkedom') as typeof import('linkedom');
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  return [...document.querySelectorAll('*')] as unknown as Element[];
}

/** The parser leaves prefixes to its users. */
function namespaceOf(prefix: string, element: Element): string | null {
  for (let at: Element | null = element; at; at = at.parentElement) {
    const found = at.getAttribute(`xmlns:${prefix}`);
    if (found !== null) return found;
  }
  return null;
}

const PROPERTY = /^([\w.-]+):assay$/;
const isOurs = (name: string, element: Element): boolean => {
  const prefix = PROPERTY.exec(name)?.[1];
  return prefix !== undefined && namespaceOf(prefix, element) === NAMESPACE;
};
const isDescription = (element: Element | null): boolean =>
  element !== null && /(^|:)Description$/.test(element.localName);

/** Values of the property on one element: attributes of a Description, or an element inside it. */
function valuesAt(element: Element): string[] {
  if (PROPERTY.test(element.localName) && isDescription(element.parentElement))
    return isOurs(element.localName, element) ? [element.textContent ?? ''] : [];
  if (!isDescription(element)) return [];
  return [...element.attributes].filter(({ name }) => isOurs(name, element)).map(({ value }) => value);
}

/** Values of the property in a packet, in its order; none in a packet that is too large or not XML. */
export function textsIn(packet: Uint8Array): string[] {
  if (packet.length > MAX_PACKET || !latin1Text(packet).includes(NAMESPACE)) return [];
  const found: string[] = [];
  for (const element of elementsOf(Buffer.from(packet).toString('utf8'))) {
    found.push(...valuesAt(element));
    if (found.length >= MAX_FOUND) break;
  }
  return found;
}

/** Prefixes that the packet binds to our namespace. */
const prefixesIn = (xml: string): Set<string> =>
  new Set([...xml.matchAll(/\sxmlns:([\w.-]+)\s*=\s*(["'])urn:assay:score:1#\2/g)].map((match) => match[1]!));

interface Value {
  start: number;
  end: number;
  attribute: boolean;
}

/** Where the values of the property stand, as element content or between the quotes of an attribute. */
function valuesIn(xml: string): Value[] {
  const names = [...prefixesIn(xml)].map((prefix) => `${prefix.replaceAll('.', '\\.')}:assay`).join('|');
  if (names === '') return [];
  const patterns = [
    `(<(?:${names})(?:\\s[^<>]*)?>)([^<]*)(?=</(?:${names})\\s*>)`,
    `(\\s(?:${names})\\s*=\\s*)("[^"<]*"|'[^'<]*')`,
  ];
  return patterns.flatMap((pattern, kind) =>
    [...xml.matchAll(new RegExp(pattern, 'g'))].map((match) => {
      const start = match.index + match[1]!.length;
      return { start, end: start + match[2]!.length, attribute: kind === 1 };
    }),
  );
}

/** Every Description of a packet must be about the same thing, in quotes; nearly always about nothing. */
const aboutOf = (xml: string): string =>
  /<(?:[\w.-]+:)?Description\s[^<>]*?\babout\s*=\s*("[^"<]*"|'[^'<]*')/.exec(xml)?.[1] ?? '""';

function insert(xml: string, text: string): string {
  const [end, ...more] = [...xml.matchAll(/<\/(?:[\w.-]+:)?RDF\s*>/g)];
  if (!end || more.length > 0) throw refuse('its XMP is not one RDF document');
  return xml.slice(0, end.index) + description(aboutOf(xml), text) + xml.slice(end.index);
}

function replace(xml: string, { start, end, attribute }: Value, text: string): string {
  const value = attribute ? `"${text.replaceAll('"', '&quot;')}"` : text;
  return xml.slice(0, start) + value + xml.slice(end);
}

/**
 * A packet with the property set; all else in it stays byte for byte.
 *
 * @param packet the packet that is there, in UTF-8, or null
 * @param text ASCII without `<`, `>` and `&`
 * @throws METADATA_UNWRITABLE
 */
export function packetWith(packet: Uint8Array | null, text: string): Uint8Array {
  if (packet === null) return latin1(newPacket(text));
  if (packet.length > MAX_PACKET) throw refuse('its XMP is larger than 128 KB');
  const xml = latin1Text(packet);
  const [value, ...more] = valuesIn(xml);
  if (more.length > 0) throw refuse('its XMP holds the score more than once');
  const made = latin1(value ? replace(xml, value, text) : insert(xml, text));
  const [back, ...others] = textsIn(made);
  if (back !== text || others.length > 0) throw refuse('its XMP is damaged');
  return made;
}

/** Properties that programs write prompts into. */
const DESCRIPTIONS = ['exif:UserComment', 'dc:description'];
const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

const decoded = (xml: string): string =>
  xml.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|(lt|gt|amp|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[String(name).toLowerCase()] ?? whole;
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : '';
  });

/** Text of a property, as an element with or without alternatives by language, or as an attribute. */
function propertyOf(xml: string, name: string): string {
  const attribute = new RegExp(`\\s${name}\\s*=\\s*("[^"]*"|'[^']*')`).exec(xml)?.[1];
  if (attribute !== undefined) return decoded(attribute.slice(1, -1));
  const open = xml.indexOf(`<${name}`);
  const end = open < 0 ? -1 : xml.indexOf(`</${name}`, open);
  if (end < 0) return '';
  const inside = xml.slice(xml.indexOf('>', open) + 1, end);
  const item = inside.indexOf('<rdf:li');
  const text = item < 0 ? inside : inside.slice(inside.indexOf('>', item) + 1);
  const stop = text.indexOf('<');
  return decoded(stop < 0 ? text : text.slice(0, stop));
}

/** Descriptions in a packet, looked for as text: nothing is written back, so nothing else of it matters. */
export function describedIn(packet: Uint8Array): FileText[] {
  if (packet.length > 2 ** 20) return [];
  const xml = Buffer.from(packet).toString('utf8');
  return DESCRIPTIONS.map((key) => ({ place: `XMP ${key}`, key, text: propertyOf(xml, key).trim() })).filter(
    ({ text }) => text !== '',
  );
}
