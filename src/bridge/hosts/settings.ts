/** What can be set of any host: where it is, and which of its images are judged. A kind of host may add to it. */
import { z } from 'zod';

const globs = z.array(z.string().min(1)).default([]);

const choice = z.strictObject({
  folders: globs.describe('subfolders of the output folder, with all below them'),
  prefixes: globs.describe('beginnings of file names; with a slash, of the whole name'),
  nodes: globs.describe('ids, class names or titles of the nodes that save'),
});

const choose = () => choice.default(() => choice.parse({}));

/** What HTTP takes for the name and the value of a header. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]+$/;

export const headersSchema = z.record(
  z.string().regex(HEADER_NAME, 'expected the name of a header'),
  z.string().regex(HEADER_VALUE, 'expected one line of text'),
);

/** @param title of the kind of host, for people; `url`: where it is unless told otherwise */
export const hostSettings = ({ title, url }: { title: string; url: string }) =>
  z.strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'expected an address that begins with http:// or https://' })
      .default(url)
      .describe(`address of ${title}, with a path and a query (\`?token=…\`) where it needs them`),
    headers: headersSchema
      .default({})
      .describe(`sent with every request to ${title}, such as \`Authorization\``),
    outputDir: z
      .string()
      .min(1)
      .optional()
      .describe(`${title}'s output folder as seen from here; images in it may be tagged and moved`),
    linkedDirs: z
      .array(z.string().min(1))
      .default([])
      .describe('folders elsewhere that links in the output folder may lead to'),
    only: choose().describe('judge these images alone; all when empty. `*` and `?` stand for any text'),
    not: choose().describe('leave these images alone, in the same words'),
    watch: z
      .boolean()
      .default(false)
      .describe('the daemon scores every image of this host, as `assay watch` does'),
    outputsOnly: z.boolean().default(false).describe('leave previews out'),
    policyFile: z
      .string()
      .min(1)
      .optional()
      .describe('policy file for the images of this host: thresholds, and keep, tag or move by verdict'),
    judgeMaps: z
      .boolean()
      .default(false)
      .describe('judge masks, depth, edge and pose maps, too, which are told by the node that made them'),
  });

export type HostSettings = z.infer<ReturnType<typeof hostSettings>>;
