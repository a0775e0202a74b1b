/** The commands and their options. Parses and dispatches; each command's file is imported when it runs. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PROVIDERS } from '../config.ts';
import { EXIT } from '../errors.ts';
import { complain } from './complaint.ts';
import { FORMATS } from './flags.ts';
import { version } from './version.ts';

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim());
const collect = (text: string, before: string[] = []): string[] => [...before, text];

const withScorer = (command: Command): Command =>
  command
    .option('-s, --scorer <id>', 'scorer to use (see `assay models list`)')
    .option('--variant <name>', "variant of the scorer's weights, e.g. int8 or fp32")
    .option('--providers <list>', `execution providers in order of preference: ${PROVIDERS.join(', ')}`, list)
    .option('--threads <n>', 'threads for inference', whole)
    .option('--models <dir>', 'folder with further model folders (repeatable)', collect)
    .option('--data-dir <dir>', "folder for Assay's own data: history, imported models")
    .option('--config <file>', 'JSON file with settings');

function scoreCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('score'))
    .summary('score images and print the result')
    .description('Score image files, folders of images, or globs (quote them).')
    .argument('<images...>', 'files, folders or globs')
    .option('-p, --prompt <text>', 'the prompt that all the images were generated from')
    .option('--prompts <csv>', 'CSV file with columns name,prompt')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(FORMATS).default('table'))
    .option('-o, --out <file>', 'write there instead of to the terminal')
    .option('--write-metadata', 'keep each score in its file (PNG, JPEG, WebP), beside its other metadata')
    .addOption(
      new Option('--show-metadata', 'print the scores that the files carry; nothing is scored').conflicts(
        'writeMetadata',
      ),
    )
    .addHelpText(
      'after',
      `
Examples:
  assay score cat.png
  assay score outputs/ --format csv --out scores.csv
  assay score "renders/**/*.webp" --prompt "a red fox in snow"
  assay score outputs/ --write-metadata

Exit code 0, or 3 when an image could not be scored, or a score not kept (the others are still printed).`,
    )
    .action(async (images, options) => {
      if (options.showMetadata) exit(await (await import('./metadata.ts')).showMetadata(images, options));
      else exit(await (await import('./score.ts')).score(images, options));
    });
}

function serveCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('serve'))
    .summary('start the daemon that UIs, nodes and trainers talk to')
    .description('Start the daemon. It prints one line when ready; Ctrl-C finishes what runs, then stops it.')
    .option('--host <address>', 'address to listen on (default 127.0.0.1: this machine only)')
    .option('--port <n>', 'port to listen on (default 7878; 0 picks a free one)', whole)
    .option('--token <secret>', 'token that clients must send; required beyond this machine')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .action(async (options) => exit(await (await import('./serve.ts')).serve(options)));
}

function evalCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('eval'))
    .summary('measure how well a scorer agrees with human ratings')
    .description('Score rated images and report correlation, calibration and best-of-N utility.')
    .requiredOption('--images <dir>', 'folder of the images')
    .requiredOption(
      '--ratings <csv>',
      'CSV file: name, mos_quality and/or mos_align, optionally generator and prompt',
    )
    .option('--ratings-range <low,high>', "scale of the ratings, when it is not the scorer's")
    .option('-o, --out <dir>', 'folder for report.json, report.html and predictions.csv', 'assay-eval')
    .action(async (options) => exit(await (await import('./eval.ts')).runEval(options)));
}

function benchCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('bench'))
    .summary('measure speed and overhead on this machine')
    .description(
      'Throughput and latency of the daemon against the bare model, start-up time, memory, batch invariance.',
    )
    .option('--json', 'print JSON')
    .option('--quick', 'a rough look, in seconds instead of a minute')
    .action(async (options) => exit(await (await import('./bench.ts')).bench(options)));
}

function modelsCommand(exit: (code: number) => void): Command {
  const models = new Command('models').summary('list, inspect, verify and import scorers');
  const load = () => import('./models.ts');
  withScorer(models.command('list'))
    .description('List the installed scorers.')
    .option('--json', 'print JSON')
    .action(async (options) => exit((await load()).listModels(options)));
  withScorer(models.command('info'))
    .description('Show what a scorer predicts, its licence, its files and where it runs.')
    .argument('<id>')
    .option('--json', 'print JSON')
    .action(async (id, options) => exit(await (await load()).modelInfo(id, options)));
  withScorer(models.command('verify'))
    .description('Recompute the hashes and the golden scores of a scorer.')
    .argument('<id>', 'scorer id or model folder')
    .action(async (id, options) => exit(await (await load()).verifyModel(id, options)));
  withScorer(models.command('import'))
    .description('Check a model folder and copy it to where Assay finds it.')
    .argument('<dir>', 'model folder with a manifest.json')
    .option('--force', 'replace an installed scorer of the same id')
    .action(async (dir, options) => exit(await (await load()).importModel(dir, options)));
  return models;
}

function watchCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('watch'))
    .summary('score every image that a ComfyUI makes, whoever asks for it')
    .description(
      'Watch a ComfyUI and score each of its images once. It goes on where it left off, and waits for a host that goes away.',
    )
    .option('--comfyui <url>', 'address of ComfyUI (default http://127.0.0.1:8188)')
    .option(
      '--output-dir <dir>',
      "ComfyUI's output folder as seen from here; images in it may be tagged and moved",
    )
    .option('--policy <file>', 'JSON file with thresholds and actions: keep, tag or move')
    .option('--outputs-only', 'leave previews out')
    .option('--once', 'score what the host holds now, then end')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(['text', 'jsonl']).default('text'))
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .addHelpText(
      'after',
      `
Examples:
  assay watch
  assay watch --comfyui http://127.0.0.1:8188 --output-dir ~/ComfyUI/output --policy policy.json
  assay watch --once --format jsonl > scores.jsonl

A policy file: {"aspects": {"quality": {"minPercentile": 0.2}}, "actions": {"reject": "move"}}
Moved images are in the reject bin: see \`assay rejects\`.`,
    )
    .action(async (options) => exit(await (await import('./watch.ts')).watchHost(options)));
}

const withBin = (command: Command): Command =>
  command
    .option('--data-dir <dir>', "folder for Assay's own data; the bin is its folder `rejects`")
    .option('--config <file>', 'JSON file with settings');

function rejectsCommand(exit: (code: number) => void): Command {
  const rejects = new Command('rejects').summary('list, restore and delete rejected images');
  const load = () => import('./rejects.ts');
  withBin(rejects.command('list'))
    .description('List the images in the reject bin and why they are there.')
    .addOption(
      new Option('-f, --format <format>', 'how to print').choices(['table', 'json']).default('table'),
    )
    .action(async (options) => exit(await (await load()).listRejects(options)));
  withBin(rejects.command('restore'))
    .description('Put images back where they were. Nothing is overwritten.')
    .argument('[ids...]')
    .option('--all', 'all of them')
    .option('--to <dir>', 'folder to put them into instead')
    .action(async (ids, options) => exit(await (await load()).restoreRejects(ids, options)));
  withBin(rejects.command('purge'))
    .description('Delete images in the reject bin for good.')
    .argument('[ids...]')
    .option('--all', 'all of them')
    .option('--older-than <age>', 'only those moved longer ago, e.g. 12h, 30d or 2w')
    .option('-y, --yes', 'do not ask')
    .action(async (ids, options) => exit(await (await load()).purgeRejects(ids, options)));
  return rejects;
}

function doctorCommand(exit: (code: number) => void): Command {
  return withScorer(new Command('doctor'))
    .summary('check what runs here, and how to fix what does not')
    .description('Check Node, execution providers, GPU, models, port and data folder.')
    .option('--port <n>', 'port to check', whole)
    .action(async (options) => exit(await (await import('./doctor.ts')).doctor(options)));
}

function buildProgram(exit: (code: number) => void): Command {
  const program = new Command('assay')
    .description('Scores the images that diffusion models make.')
    .version(version)
    .showHelpAfterError('Run with --help for the options.');
  for (const make of [
    scoreCommand,
    serveCommand,
    watchCommand,
    rejectsCommand,
    evalCommand,
    benchCommand,
    modelsCommand,
    doctorCommand,
  ])
    program.addCommand(make(exit));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
    command.exitOverride();
  return program;
}

/** Runs one command line; the result is the exit code. */
export async function run(argv: string[]): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram((result) => {
    code = result;
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `assay score … | head` closes the pipe early.
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return complain(error);
  }
}
