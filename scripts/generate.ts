/** `npm run generate`: writes the files that are made from the source, so that they cannot drift from it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { HostKind } from '../src/bridge/hosts/kind.ts';
import { HOST_KINDS } from '../src/bridge/hosts/kinds.ts';
import { configSchema } from '../src/config.ts';
import { ERRORS, type ErrorKind } from '../src/errors/table.ts';
import {
  definitions,
  NODES,
  type NodeDefinition,
  type NodeInput,
  PANEL,
  type PanelInput,
  panelDefinitions,
} from '../src/nodes/index.ts';
import { manifestSchema } from '../src/reward/model/manifest.ts';

const KINDS: Record<ErrorKind, [title: string, meaning: string]> = {
  input: [
    'Fix the request',
    'Sending the same again fails again. Exit code 2, or 3 when only some items failed.',
  ],
  retry: ['Try again later', 'Over HTTP the answer carries `Retry-After`.'],
  setup: ['Fix the set-up', 'Something about the installation, a model or the configuration. Exit code 2.'],
  internal: ['A bug in Assay', 'Exit code 1.'],
};

function errorsPage(): string {
  const sections = Object.entries(KINDS).map(([kind, [title, meaning]]) => {
    const rows = Object.entries(ERRORS).filter(([, entry]) => entry.kind === kind);
    const body = rows.map(([code, e]) => `### ${code}\n\nHTTP ${e.status} · \`${e.message}\`\n\n${e.fix}\n`);
    return `## ${title}\n\n${meaning}\n\n${body.join('\n')}`;
  });
  const intro = `# Errors

Every error has a code. It is printed on the command line in brackets, and stands in \`error.code\` of HTTP and websocket
answers. An image that cannot be scored carries the error in its own result; the other images are scored all the same.

<!-- Generated from src/errors/table.ts by \`npm run generate\`. -->
`;
  return `${intro}\n${sections.join('\n')}`;
}

interface Property {
  type?: string | string[];
  enum?: unknown[];
  items?: Property;
  anyOf?: Property[];
  default?: unknown;
  /** Where it depends on the machine. */
  defaultText?: string;
  description?: string;
  properties?: Record<string, Property>;
}

function typeOf(p: Property): string {
  if (p.enum) return p.enum.map((v) => `\`${v}\``).join(', ');
  if (p.type === 'array') return `list of ${p.items?.enum ? typeOf(p.items) : p.items?.type}`;
  return String(p.type ?? 'object');
}

function settingRows(properties: Record<string, Property>, prefix = ''): string[] {
  return Object.entries(properties).flatMap(([key, p]) => {
    const name = `${prefix}${key}`;
    if (p.properties && Object.keys(p.properties).length > 0) return settingRows(p.properties, `${name}.`);
    const fallback = p.defaultText ?? (p.default === undefined ? '–' : `\`${JSON.stringify(p.default)}\``);
    return [`| \`${name}\` | ${typeOf(p)} | ${fallback} | ${p.description ?? ''} |`];
  });
}

function settingsPage(): string {
  const schema = z.toJSONSchema(configSchema, { io: 'input' }) as Property;
  return `# Settings

Defaults < JSON file (\`--config FILE\` or \`ASSAY_CONFIG\`) < environment < flags, key by key. An unknown key or a value that
does not fit stops the start with exit code 2 and a message that names the key, the value and what was expected; secrets are
never repeated. Times are milliseconds, unless the name says otherwise.

The variable of a key is \`ASSAY_\` and the key in capitals: \`ASSAY_DATA_DIR\` for \`dataDir\`, \`ASSAY_LIMITS_MAX_ITEMS\` for
\`limits.maxItems\`, \`ASSAY_POLICY_ASPECTS_QUALITY_MIN_SCORE\` for \`policy.aspects.quality.minScore\`. Switches are on for
\`true\`, \`yes\`, \`on\` and \`1\`, off for \`false\`, \`no\`, \`off\` and \`0\`; numbers are plain digits; lists have commas between,
or are JSON lists. Blank variables count as not set. Unknown ones that begin with \`ASSAY_\` are named at the start and ignored,
and so is \`ASSAY_PORT=tcp://…\`, which Kubernetes and Docker set for a service called \`assay\`.

<!-- Generated from src/config/settings.ts and the hosts' settings by \`npm run generate\`. -->

| key | type | default | meaning |
|---|---|---|---|
${settingRows(schema.properties!).join('\n')}

A policy accepts what trips no guard, unless thresholds say otherwise:

\`\`\`json
{
  "policy": {
    "aspects": { "quality": { "minPercentile": 0.3 }, "alignment": { "minScore": 2.5 } },
    "minReward": 0.4,
    "unsureWithinInterval": true
  }
}
\`\`\`
`;
}

const inputKind = (input: NodeInput): string =>
  input.type === 'COMBO' ? input.choices.map((choice) => `\`${choice}\``).join(', ') : input.type;

function inputRow(input: NodeInput): string {
  const needed = 'optional' in input && input.optional ? 'optional' : 'to connect';
  const fallback = 'default' in input && input.default !== '' ? `\`${input.default}\`` : needed;
  return `| \`${input.name}\` | ${inputKind(input)} | ${fallback} | ${input.tooltip} |`;
}

function nodeSection(node: NodeDefinition): string {
  const outputs = node.outputs.map(
    (output) => `| \`${output.name}\` | ${output.type}${output.list ? ' list' : ''} | ${output.tooltip} |`,
  );
  return `## ${node.displayName}

${node.description}

| input | type | default | meaning |
|---|---|---|---|
${node.inputs.map(inputRow).join('\n')}

| output | type | meaning |
|---|---|---|
${outputs.join('\n')}
`;
}

const nodesPage = ({ id, title }: HostKind): string => `# Nodes for ${title}

How to install and use them: [${id}.md](${id}.md).

<!-- Generated from src/nodes by \`npm run generate\`. -->

${NODES.map(nodeSection).join('\n')}`;

const panelRow = (input: PanelInput, place: number): string =>
  `| ${place} | \`${input.name}\` | ${input.label} | ${inputKind(input)} | \`${JSON.stringify(input.default)}\` | ${input.tooltip} |`;

const panelPage = ({ id, title }: HostKind): string => `# The panel for ${title}

How to install and use it: [${id}.md](${id}.md). Over the API these are the \`args\` of \`Assay\` in \`alwayson_scripts\`: in this
order, or as one object with these names. What is left out has its default.

<!-- Generated from src/nodes by \`npm run generate\`. -->

| place | name | in the panel | type | default | meaning |
|---|---|---|---|---|---|
${PANEL.map(panelRow).join('\n')}
`;

const manifestJsonSchema = (): string =>
  `${JSON.stringify(z.toJSONSchema(manifestSchema, { io: 'input' }), null, 2)}\n`;

const FORMS = {
  nodes: { page: nodesPage, definitions },
  panel: { page: panelPage, definitions: panelDefinitions },
};

const nodeFiles = HOST_KINDS.flatMap((kind): [string, () => string][] => {
  if (!kind.nodes) return [];
  const form = FORMS[kind.nodes.form];
  return [
    [kind.nodes.page, () => form.page(kind)],
    [kind.nodes.definitions, () => `${JSON.stringify(form.definitions(), null, 2)}\n`],
  ];
});

const pathOf = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));

const LINK = 'python-shim/assay_client/link';
const NODES_PACK = 'python-shim/comfyui';
const EXTENSION = 'python-shim/a1111/assay_a1111';

/** Modules that packs share, copied into each, so that a host needs nothing more: from, to, which. */
const SHARED: [from: string, to: string, names: string[]][] = [
  [LINK, NODES_PACK, ['connection', 'failures', 'line', 'settings', 'wire']],
  [LINK, EXTENSION, ['failures', 'settings']],
  [NODES_PACK, EXTENSION, ['answer', 'policy', 'report', 'values']],
];
const sharedFiles = SHARED.flatMap(([from, to, names]) =>
  names.map((name): [string, () => string] => [`${to}/${name}.py`, () => copyOf(`${from}/${name}.py`)]),
);

const copyOf = (source: string): string =>
  `# A copy of ${source}, made by \`npm run generate\`.\n${readFileSync(pathOf(source), 'utf8')}`;

const FILES: Record<string, () => string> = {
  ...Object.fromEntries([...nodeFiles, ...sharedFiles]),
  'docs/errors.md': errorsPage,
  'docs/settings.md': settingsPage,
  'models/manifest.schema.json': manifestJsonSchema,
};

/** Generated files that differ from what the source gives now. */
export const stale = (): string[] =>
  Object.entries(FILES)
    .filter(([file, make]) => !existsSync(pathOf(file)) || readFileSync(pathOf(file), 'utf8') !== make())
    .map(([file]) => file);

if (import.meta.main) for (const [file, make] of Object.entries(FILES)) writeFileSync(pathOf(file), make());
