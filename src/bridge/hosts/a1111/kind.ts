/** The AUTOMATIC1111 family (AUTOMATIC1111, Forge, reForge, SD.Next) as a row of the hosts. */
import type { HostKind } from '../kind.ts';
import { hostSettings } from '../settings.ts';

const about = { id: 'a1111', title: 'AUTOMATIC1111', url: 'http://127.0.0.1:7860' };

export const a1111: HostKind = {
  ...about,
  settings: hostSettings(about),
  async create({ settings: { url, headers }, ...options }) {
    const { createA1111Host } = await import('./link/host.ts');
    return createA1111Host({ url, headers, ...options });
  },
  workflow:
    'the JSON body of txt2img or img2img, with "route" where the fields do not tell which: docs/a1111.md',
  template: async (text, source) => (await import('./workflow/template.ts')).readTemplate(text, source),
  install: {
    description:
      "Put Assay's extension into AUTOMATIC1111, Forge, reForge or SD.Next, or update it. Nothing else is touched, and nothing is downloaded.",
    folder: "the host's folder: the one that holds extensions",
    run: async (folder, flags) => (await import('./install/install.ts')).installExtension(folder, flags),
  },
  nodes: {
    form: 'panel',
    definitions: 'python-shim/a1111/assay_a1111/definitions.json',
    page: 'docs/a1111-panel.md',
  },
};
