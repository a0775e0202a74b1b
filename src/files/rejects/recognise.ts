/** Which folders are reject bins, whoever made them: known by the sidecars in their days. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SIDECAR } from './sidecar.ts';

const DAY = /^\d{4}-\d\d-\d\d$/;
/** `<name>.<id>.png.json` */
const isSidecar = (name: string): boolean =>
  /\.[0-9a-f]{12}(\.\w+)?$/.test(name.slice(0, -SIDECAR.length)) && name.endsWith(SIDECAR);

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Whether images were moved there because they were rejected. */
export const isRejectBin = (folder: string): boolean =>
  namesIn(folder).some((day) => DAY.test(day) && namesIn(join(folder, day)).some(isSidecar));
