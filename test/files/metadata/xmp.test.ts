/** XMP packets as other programs write and rewrite them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { readScore, writeScore } from '../../../src/files/metadata/metadata.ts';
import {
  FILES,
  jpegPacket,
  jpegParts,
  packet,
  record,
  TITLE,
  webpChunk,
  webpOf,
  webpParts,
  xmpSegment,
} from './containers.ts';

let plain: Buffer[];
beforeAll(async () => {
  plain = jpegParts(await FILES['plain.jpg']!()).map(({ bytes }) => bytes);
});

/** A JPEG with these packets. */
const withXmp = (...packets: string[]): Buffer =>
  Buffer.concat([Uint8Array.of(0xff, 0xd8), ...packets.map(xmpSegment), ...plain]);

const NS = 'urn:assay:score:1#';
const json = JSON.stringify(record(0.3)).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c');
const quoted = json.replaceAll('"', '&quot;');
const spaced = json.replaceAll('"', '&#x22;').replaceAll("'", '&apos;');

describe('a packet of another program', () => {
  it.each<[string, string]>([
    [
      'as an element',
      `<rdf:Description rdf:about="" xmlns:assay="${NS}"><assay:assay>${json}</assay:assay></rdf:Description>`,
    ],
    ['as an attribute', `<rdf:Description rdf:about="" xmlns:assay="${NS}" assay:assay="${quoted}"/>`],
    ['in single quotes', `<rdf:Description rdf:about='' xmlns:assay='${NS}' assay:assay='${spaced}'/>`],
    [
      'under another prefix',
      `<rdf:Description rdf:about="" xmlns:ns.1="${NS}"><ns.1:assay>${quoted}</ns.1:assay></rdf:Description>`,
    ],
    [
      'beside other properties',
      `<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="été"\n  xmlns:a="${NS}"\n  a:assay = "${quoted}"><dc:x>1</dc:x></rdf:Description>`,
    ],
  ])('is read and updated with the score %s', (_name, description) => {
    const file = withXmp(packet(description));
    expect(readScore(file)).toEqual(record(0.3));
    const again = writeScore(file, record(0.4));
    expect(readScore(again)).toEqual(record(0.4));
    const around = (bytes: Uint8Array) => jpegPacket(bytes).replace(/(["']?)\{.*\}\1/s, '@');
    expect(around(again)).toBe(around(file));
  });

  it('gets a Description about the same thing as the others', () => {
    const about = 'rdf:about="uuid:&quot;é"';
    const made = jpegPacket(writeScore(withXmp(packet(TITLE.replace('rdf:about=""', about))), record()));
    expect(made.split(about)).toHaveLength(3);
  });

  it.each<[string, string[], RegExp]>([
    [
      'holds the score twice',
      [packet(`<rdf:Description xmlns:a="${NS}" a:assay="1"><a:assay>2</a:assay></rdf:Description>`)],
      /more than once/,
    ],
    [
      'hides the score in CDATA',
      [packet(`<rdf:Description xmlns:a="${NS}"><a:assay><![CDATA[{}]]></a:assay></rdf:Description>`)],
      /damaged/,
    ],
    ['has no RDF', ['<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'], /not one RDF document/],
    ['has RDF only in a comment', [`<x:xmpmeta><!-- ${packet('')} --></x:xmpmeta>`], /damaged/],
    ['has RDF twice', [packet('') + packet('')], /not one RDF document/],
    ['is empty', [''], /not one RDF document/],
    ['is in UTF-16', [Buffer.from(packet(TITLE), 'utf16le').toString('latin1')], /not one RDF document/],
    ['leaves no room', [packet(`<rdf:Description>${'x'.repeat(64_800)}</rdf:Description>`)], /64 KB/],
    ['is not the only one', [packet(TITLE), packet(TITLE)], /several XMP packets/],
  ])('that %s is left alone', (_name, packets, reason) => {
    const file = withXmp(...packets);
    const copy = Buffer.from(file);
    expect(() => writeScore(file, record(), 'a.jpg')).toThrow(
      expect.objectContaining({ code: 'METADATA_UNWRITABLE', message: expect.stringMatching(reason) }),
    );
    expect(file).toEqual(copy);
  });

  it.each<[string, string]>([
    ['in a namespace of others', `<rdf:Description xmlns:assay="urn:other#" assay:assay="${quoted}"/>`],
    [
      'of a later version',
      `<rdf:Description xmlns:a="${NS}" a:assay="${quoted.replace('&quot;version&quot;:1', '&quot;version&quot;:2')}"/>`,
    ],
    ['that is no JSON', `<rdf:Description xmlns:a="${NS}" a:assay="good"/>`],
    ['that is other JSON', `<rdf:Description xmlns:a="${NS}" a:assay="[1]"/>`],
    ['without a property', `<rdf:Description xmlns:a="${NS}"/>`],
    ['not at its place', `<a:assay xmlns:a="${NS}">${json}</a:assay>`],
    ['in XML that does not close', `<rdf:Description xmlns:a="${NS}"><a:assay`],
    [
      'behind an entity',
      `<!DOCTYPE x [<!ENTITY e "${json}">]><rdf:Description xmlns:a="${NS}" a:assay="&e;"/>`,
    ],
  ])('with a property %s reads as no score', (_name, description) => {
    expect(readScore(withXmp(packet(description)))).toBeNull();
  });

  it('may have more fields than we know, which survive', () => {
    const later = {
      ...record(0.3),
      reviewer: 'x',
      aspects: { quality: { ...record().aspects.quality!, votes: 3 }, beauty: 1 },
    };
    const value = JSON.stringify(later).replace(/[<>&]/g, ' ');
    const text = packet(`<rdf:Description xmlns:a="${NS}"><a:assay>${value}</a:assay></rdf:Description>`);
    expect(readScore(withXmp(text))).toMatchObject({
      reviewer: 'x',
      aspects: { quality: { votes: 3 }, beauty: 1 },
    });
  });
});

describe('WebP', () => {
  it('keeps a packet that is there where it is, but for one Description', async () => {
    const parts = webpParts(await FILES['xmp.webp']!());
    const old = packet(`${TITLE}<rdf:Description/>`);
    const chunks = parts.map(({ name, bytes }) =>
      name === 'XMP ' ? webpChunk(name, Buffer.from(old)) : bytes,
    );
    const file = webpOf([...chunks, webpChunk('mine', Buffer.from('odd'))]);
    const tagged = webpParts(writeScore(file, record()));
    expect(tagged.map(({ name }) => name)).toEqual(webpParts(file).map(({ name }) => name));
    const made = tagged.find(({ name }) => name === 'XMP ')!.bytes;
    const size = made.readUInt32LE(4);
    const added = /<rdf:Description [^>]*urn:assay:score:1#.*?<\/rdf:Description>/s;
    expect(made.toString('utf8', 8, 8 + size).replace(added, '')).toBe(old);
  });

  it('leaves a packet alone that is larger than any score needs', async () => {
    const parts = webpParts(await FILES['xmp.webp']!());
    const large = packet(`<rdf:Description>${'x'.repeat(200_000)}</rdf:Description>`);
    const file = webpOf(
      parts.map(({ name, bytes }) => (name === 'XMP ' ? webpChunk(name, Buffer.from(large)) : bytes)),
    );
    expect(readScore(file)).toBeNull();
    expect(() => writeScore(file, record())).toThrow(/larger than 128 KB/);
  });
});
