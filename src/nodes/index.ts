/** The nodes of the ComfyUI pack, and the errors that the pack itself can meet. `npm run generate` writes them as JSON. */
import { ERRORS, type ErrorCode } from '../errors/table.ts';
import { best } from './best.ts';
import { gate } from './gate.ts';
import { prompt } from './prompt.ts';
import { score } from './score.ts';
import { shelf } from './shelf.ts';
import type { NodeDefinition } from './types.ts';

export type { NodeDefinition, NodeInput, NodeOutput } from './types.ts';

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

/** What `python-shim/comfyui/definitions.json` holds. */
export const definitions = () => ({
  nodes: NODES,
  errors: Object.fromEntries(RAISED.map((code) => [code, pick(code)])),
});

const pick = (code: ErrorCode) => ({ message: ERRORS[code].message, fix: ERRORS[code].fix });
