/** The files that a node tells of, whatever it calls them, and those among them that are no images to judge. */
import { extname } from 'node:path';
import { z } from 'zod';
import type { HostFile, LeftFile } from '../../../../host.ts';
import { IMAGE_EXTENSIONS } from '../../../../types/image.ts';
import { isObject } from '../../link/values.ts';

const TYPES = ['output', 'temp', 'input'] as const;

/** Known by its name; savers of videos and sounds add a format. */
const fileSchema = z.looseObject({
  filename: z.string().min(1),
  subfolder: z.string().catch(''),
  type: z.string().catch('output'),
  format: z.string().optional().catch(undefined),
});
type ToldFile = z.infer<typeof fileSchema>;

export interface Shown {
  files: HostFile[];
  left: Omit<LeftFile, 'node'>[];
}

const MOVING = /^\.(mp4|webm|mkv|mov|avi|m4v|gifv)$/i;
const SOUND = /^\.(mp3|wav|flac|ogg|opus|m4a)$/i;

/** Why a file is no image to judge; undefined for one that is. */
function reasonAgainst({ filename, type, format = '' }: ToldFile, isAnimated: boolean): string | undefined {
  const extension = extname(filename);
  if (!TYPES.some((known) => known === type)) return `of the unknown type "${type.slice(0, 40)}"`;
  if (MOVING.test(extension) || format.startsWith('video/')) return 'a video';
  if (SOUND.test(extension) || format.startsWith('audio/')) return 'a sound';
  if (!IMAGE_EXTENSIONS.includes(extension.toLowerCase())) return 'no image';
  return isAnimated || format === 'image/gif' ? 'animated' : undefined;
}

/** Values of a list that are files; other nodes show texts and numbers. */
const filesIn = (value: unknown): ToldFile[] =>
  (Array.isArray(value) ? value : []).flatMap((entry) => {
    const file = fileSchema.safeParse(entry);
    return file.success ? [file.data] : [];
  });

const nameOf = ({ subfolder, filename }: ToldFile): string => [subfolder, filename].filter(Boolean).join('/');

/** What is told of an unknown place is left alone, also where it lies in the output folder. */
const hostFileOf = ({ filename, subfolder, type }: ToldFile): HostFile => ({
  ...{ filename, subfolder },
  type: TYPES.find((known) => known === type) ?? 'output',
});

/** @param output what a node showed: lists by names such as `images`, `gifs` or `result` */
export function shownBy(output: unknown): Shown {
  const lists = isObject(output) ? Object.values(output) : [];
  const isAnimated = isObject(output) && Array.isArray(output.animated) && output.animated.includes(true);
  const files = new Map(lists.flatMap(filesIn).map((file) => [`${file.type} ${nameOf(file)}`, file]));
  const shown: Shown = { files: [], left: [] };
  for (const file of files.values()) {
    const reason = reasonAgainst(file, isAnimated);
    if (reason === undefined) shown.files.push(hostFileOf(file));
    else shown.left.push({ file: hostFileOf(file), name: nameOf(file), reason });
  }
  return shown;
}
