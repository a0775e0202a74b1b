/** `assay prompt`: its options and its help. */
import { Command, Option } from 'commander';
import type { Exit } from '../input/options.ts';

export function promptCommand(exit: Exit): Command {
  return new Command('prompt')
    .summary('show the prompt that is found in an image or a workflow')
    .description(
      'Show the prompt of an image file, or of the images of a ComfyUI workflow, and where it was found.',
    )
    .argument('<file>', 'image, or JSON of a workflow')
    .option('--node <id>', 'node of the workflow that shows or saves the image')
    .addOption(
      new Option('-f, --format <format>', 'how to print').choices(['table', 'json']).default('table'),
    )
    .action(async (file, options) => exit(await (await import('../prompt.ts')).prompt(file, options)));
}
