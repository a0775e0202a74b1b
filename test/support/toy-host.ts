/**
 * A kind of host from outside: a host in memory as one more row of the table. Imported before all else, as
 * `node --import` does, it is there for the config and for the command line like any other.
 */
import { z } from 'zod';
import type { HostKind } from '../../src/bridge/hosts/kind.ts';
import { HOST_KINDS } from '../../src/bridge/hosts/kinds.ts';
import { hostSettings } from '../../src/bridge/hosts/settings.ts';

const about = { id: 'toy', title: 'Toy', url: 'http://127.0.0.1:9' };

const settings = hostSettings(about).extend({
  images: z.array(z.string().min(1)).default([]).describe('files that its one run has made'),
});

const toy: HostKind<z.infer<typeof settings>> = {
  ...about,
  settings,
  async create({ settings: { url, headers, images } }) {
    const { readFileSync } = await import('node:fs');
    const { memoryHost } = await import('../loops/watch/memory-host.ts');
    const host = memoryHost(url);
    if (images.length > 0) host.run(Object.fromEntries(images.map((_path, i) => [`${i}.png`, ''])));
    for (const [i, key] of [...host.files.keys()].entries()) host.files.set(key, readFileSync(images[i]!));
    return { ...host, describe: async () => ({ kind: 'Toy', version: '1', notes: Object.values(headers) }) };
  },
  install: {
    description: 'Put nothing into a toy.',
    folder: 'any',
    run: async (folder, { check = false }) => ({ lines: [`nothing put into ${folder}`], isCurrent: !check }),
  },
};

(HOST_KINDS as HostKind[]).push(toy);
