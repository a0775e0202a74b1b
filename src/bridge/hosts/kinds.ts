/** The kinds of host that there are: one row each. The first one is meant where none is named. */
import { comfyui } from './comfyui/kind.ts';
import type { HostKind } from './kind.ts';

export const HOST_KINDS: readonly HostKind[] = [comfyui];
