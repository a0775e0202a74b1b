/** The nodes and the panel, and the errors that their Python side itself can meet. `npm run generate` writes them as JSON. */
import { ERRORS, type ErrorCode } from '../errors/table.ts';
import { best } from './best.ts';
import { gate } from './gate.ts';
import { PANEL, PANEL_TITLE } from './panel.ts';
import { prompt } from './prompt.ts';
import { score } from './score.ts';
import { shelf } from './shelf.ts';
import type { NodeDefinition } from './types.ts';

export { PANEL, PANEL_TITLE } from './panel.ts';
export type { NodeDefinition, NodeInput, NodeOutput, PanelInput } from './types.ts';

/** In the order of the menu. */
export const NODES: readonly NodeDefinition[] = [score, gate, best, shelf, prompt];

/** Codes that the Python side raises by itself; the others come from the daemon. */
const RAISED: readonly ErrorCode[] = [
  'BAD_REQUEST',
  'BODY_TOO_LARGE',
  'CONFIG_INVALID',
  'DAEMON_UNKNOWN',
  'DAEMON_UNREACHABLE',
  'DEADLINE',
  'HOST_REFUSED',
  'IMAGE_SHAPE',
  'IMAGE_VALUES',
  'INTERNAL',
  'PYTHON_PACKAGE_MISSING',
  'SHELF_DAMAGED',
  'SHELF_UNWRITABLE',
  'SHELVES_FULL',
  'TOKEN_UNREADABLE',
  'UNAUTHORIZED',
];

/** The same of the extension, which packs its messages itself and fills the reject bin. */
const RAISED_BY_PANEL: readonly ErrorCode[] = [
  ...RAISED.filter((code) => code !== 'PYTHON_PACKAGE_MISSING' && code !== 'BODY_TOO_LARGE'),
  'REJECT_BIN_UNUSABLE',
];

/** What `python-shim/comfyui/definitions.json` holds. */
export const definitions = () => ({ nodes: NODES, errors: texts(RAISED) });

/** What `definitions.json` of the extension holds. */
export const panelDefinitions = () => ({ title: PANEL_TITLE, inputs: PANEL, errors: texts(RAISED_BY_PANEL) });

const texts = (codes: readonly ErrorCode[]) =>
  Object.fromEntries(codes.map((code) => [code, { message: ERRORS[code].message, fix: ERRORS[code].fix }]));
