/** The kinds of host that there are: one row each. The first one is meant where none is named. */
import { a1111 } from './a1111/kind.ts';
import { comfyui } from './comfyui/kind.ts';
import type { HostKind } from './kind.ts';

export const HOST_KINDS: readonly HostKind[] = [comfyui, a1111];
