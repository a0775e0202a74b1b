/** ComfyUI as a row of the hosts. */
import type { HostKind } from '../kind.ts';
import { hostSettings } from '../settings.ts';

const about = { id: 'comfyui', title: 'ComfyUI', url: 'http://127.0.0.1:8188' };

export const comfyui: HostKind = {
  ...about,
  settings: hostSettings(about),
  async create({ settings: { url, headers }, ...options }) {
    const { createComfyHost } = await import('./link/host.ts');
    return createComfyHost({ url, headers, ...options });
  },
  workflow: 'a workflow in API format: Workflow > Export (API)',
  template: async (text, source) => (await import('./workflow/template.ts')).readTemplate(text, source),
  install: {
    description:
      "Put Assay's nodes into ComfyUI, or update them. Nothing else is touched, and nothing is downloaded.",
    folder: "ComfyUI's folder: the one that holds custom_nodes",
    run: async (folder, flags) => (await import('./install/install.ts')).installNodes(folder, flags),
  },
  nodes: {
    form: 'nodes',
    definitions: 'python-shim/comfyui/definitions.json',
    page: 'docs/comfyui-nodes.md',
  },
};
