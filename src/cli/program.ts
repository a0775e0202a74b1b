/** The commands and their options. Parses and dispatches; each command's file is imported when it runs. */
import { Command, CommanderError, Option } from 'commander';
import { EXIT, fail, reasonOf } from '../errors.ts';
import { complain } from './complaint.ts';
import { FORMATS, SORTS, usage } from './flags.ts';
import { installCommand, rejectsCommand, watchCommand } from './host-commands.ts';
import { atLeastOne, collect, type Exit, whole, withScorer } from './options.ts';
import { goToUser } from './place.ts';
import { stopForReader } from './stop-signal.ts';
import { version } from './version.ts';

const SCORE_HELP = `
Examples:
  assay score cat.png
  assay score outputs/ --out scores.csv
  assay score "renders/**/*.webp" --prompt "a red fox in snow"
  assay score outputs/ --prompts prompts.csv --sort alignment
  assay score outputs/ --min quality=2.5 --top 20 --copy-top best/
  assay score outputs/ --policy policy.json --move-rejects rejected/
  assay score outputs/ --out scores.jsonl --resume

A table of prompts is CSV, TSV or JSON with a column of image names (name, file, path …) and one of prompts (prompt,
caption, text …). Names may be paths, ends of paths, or file names with or without extension.

Exit code 0; 3 when an image could not be scored, moved, copied or tagged (the others are dealt with all the same);
130 when Ctrl-C stopped it: what is done is printed and kept.`;

const withPrinting = (command: Command): Command =>
  command
    .addOption(
      new Option('-f, --format <format>', 'how to print (default: table, or as --out ends)').choices(FORMATS),
    )
    .option('-o, --out <file>', 'write there instead of to the terminal')
    .option('--force', 'let --out replace any file')
    .option('--resume', 'go on where an earlier run with this --out stopped');

const withChoice = (command: Command): Command =>
  command
    .addOption(new Option('--sort <by>', 'best first, or by name').choices(SORTS))
    .option('--top <n>', 'list the best only, by --sort (default: reward)', atLeastOne)
    .option(
      '--min <demand>',
      'list only what has at least this, and reject the rest: quality=2.5, quality=30% (percentile), reward=0.4 (repeatable)',
      collect,
    )
    .option('--policy <file>', 'JSON file with thresholds for the verdict')
    .option('--move-rejects <dir>', 'move rejected images there, with the reason beside each')
    .option('--copy-top <dir>', 'copy the listed images there; needs --top or --min');

function scoreCommand(exit: Exit): Command {
  const command = withScorer(new Command('score'))
    .summary('score images and print the result')
    .description('Score image files, folders of images, globs (quote them), or - for the standard input.')
    .argument('<images...>', 'files, folders or globs')
    .option('-p, --prompt <text>', 'the prompt that all the images were generated from')
    .option('--prompts <table>', 'CSV, TSV or JSON file with the prompt of each image')
    .option('--no-file-prompts', 'do not look for prompts in the files themselves');
  return withChoice(withPrinting(command))
    .option('--write-metadata', 'keep each score in its file (PNG, JPEG, WebP), beside its other metadata')
    .addOption(
      new Option('--show-metadata', 'print the scores that the files carry; nothing is scored').conflicts([
        'writeMetadata',
        'moveRejects',
        'copyTop',
        'resume',
      ]),
    )
    .addHelpText('after', SCORE_HELP)
    .action(async (images, options) => {
      if (options.showMetadata) exit(await (await import('./metadata.ts')).showMetadata(images, options));
      else exit(await (await import('./score.ts')).score(images, options));
    });
}

function serveCommand(exit: Exit): Command {
  return withScorer(new Command('serve'))
    .summary('start the daemon that UIs, nodes and trainers talk to')
    .description('Start the daemon. It prints one line when ready; Ctrl-C finishes what runs, then stops it.')
    .option('--host <address>', 'address to listen on (default 127.0.0.1: this machine only)')
    .option('--port <n>', 'port to listen on (default 7878; 0 picks a free one)', whole)
    .option('--token-file <file>', 'file with the token that clients must send; required beyond this machine')
    .option(
      '--token <secret>',
      'the token itself; other users of this machine may see it in the process list',
    )
    .option('--socket <path>', 'unix socket to listen on instead of a port; only you can reach it')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .option(
      '--keep-alive <seconds>',
      'free a scorer after this long without work (default 600; 0 never)',
      whole,
    )
    .action(async (options) => exit(await (await import('./serve.ts')).serve(options)));
}

function evalCommand(exit: Exit): Command {
  return withScorer(new Command('eval'))
    .summary('measure how well a scorer agrees with human ratings')
    .description('Score rated images and report correlation, calibration and best-of-N utility.')
    .requiredOption('--images <dir>', 'folder of the images')
    .requiredOption(
      '--ratings <table>',
      'CSV, TSV or JSON file: name, mos_quality and/or mos_align, optionally generator and prompt',
    )
    .option(
      '--range <range>',
      "scale of an aspect's ratings, when it is not the scorer's: quality=0..100 (repeatable)",
      collect,
    )
    .option('--ratings-range <low,high>', 'the same for all aspects at once')
    .option('-o, --out <dir>', 'folder for report.json, report.html and predictions.csv', 'assay-eval')
    .addHelpText(
      'after',
      `
Examples:
  assay eval --images pictures/ --ratings mos.csv
  assay eval --images pictures/ --ratings mos.csv --range quality=0..100 --range alignment=1..5

Exit code 0; 3 when an image could not be scored; 130 when Ctrl-C stopped it: the report is of what is done.`,
    )
    .action(async (options) => exit(await (await import('./eval.ts')).runEval(options)));
}

function promptCommand(exit: Exit): Command {
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
    .action(async (file, options) => exit(await (await import('./prompt.ts')).prompt(file, options)));
}

function benchCommand(exit: Exit): Command {
  return withScorer(new Command('bench'))
    .summary('measure speed and overhead on this machine')
    .description(
      'Throughput and latency of the daemon against the bare model, start-up time, memory, batch invariance.',
    )
    .option('--json', 'print JSON')
    .option('--quick', 'a rough look: fewer starts and images, a fraction of the time')
    .action(async (options) => exit(await (await import('./bench.ts')).bench(options)));
}

function modelsCommand(exit: Exit): Command {
  const models = new Command('models').summary('list, inspect, verify and import scorers');
  const load = () => import('./models.ts');
  withScorer(models.command('list'))
    .description('List the installed scorers.')
    .option('--json', 'print JSON')
    .action(async (options) => exit((await load()).listModels(options)));
  withScorer(models.command('info'))
    .description('Show what a scorer predicts, its licence, its files and where it runs.')
    .argument('<scorer>', 'id or id@version')
    .option('--json', 'print JSON')
    .action(async (name, options) => exit(await (await load()).modelInfo(name, options)));
  withScorer(models.command('verify'))
    .description('Recompute the hashes and the golden scores of a scorer.')
    .argument('<scorer>', 'id, id@version or model folder')
    .action(async (name, options) => exit(await (await load()).verifyModel(name, options)));
  withScorer(models.command('import'))
    .description('Check a model folder and copy it to where Assay finds it.')
    .argument('<dir>', 'model folder with a manifest.json')
    .option('--force', 'replace an imported scorer of the same id and version')
    .action(async (dir, options) => exit(await (await load()).importModel(dir, options)));
  return models;
}

function doctorCommand(exit: Exit): Command {
  return withScorer(new Command('doctor'))
    .summary('check what runs here, and how to fix what does not')
    .description('Check Node, execution providers, GPU, models, port and data folder.')
    .option('--port <n>', 'port to check', whole)
    .option('--socket <path>', 'unix socket to check')
    .action(async (options) => exit(await (await import('./doctor.ts')).doctor(options)));
}

function buildProgram(exit: Exit): Command {
  const program = new Command('assay')
    .description('Scores the images that diffusion models make.')
    .version(version)
    .showHelpAfterError('Run with --help for the options.');
  const commands = [
    scoreCommand,
    serveCommand,
    installCommand,
    watchCommand,
    rejectsCommand,
    evalCommand,
    promptCommand,
    benchCommand,
    modelsCommand,
    doctorCommand,
  ];
  for (const make of commands) program.addCommand(make(exit));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
    command.exitOverride();
  return program;
}

/** Whether a command was asked for something that machines read. */
function isForMachines(command: Command): boolean {
  const { format, json } = command.opts<{ format?: string; json?: boolean }>();
  return json === true || format === 'json' || format === 'jsonl';
}

/** An empty name, as of a variable that is not set, would stand for the current folder. @throws USAGE */
function checkPaths(command: Command): void {
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (/<(file|dir|path|table)>/.test(option.flags) && [value].flat().includes(''))
      throw usage(`${option.long}: the name is empty`);
  }
}

/** Runs one command line; the result is the exit code. */
export async function run(argv: string[]): Promise<number> {
  goToUser();
  let code: number = EXIT.ok;
  let asJson = false;
  let isBroken = false;
  const program = buildProgram((result) => {
    code = result;
  });
  program.hook('preAction', (_, command) => {
    asJson = isForMachines(command);
    checkPaths(command);
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `assay score … | head`: what runs stops, and ends by itself. Leaving at once would crash in native threads.
    stopForReader();
    if (error.code === 'EPIPE' || isBroken) return;
    isBroken = true;
    const failed = complain(
      fail('OUTPUT_UNWRITABLE', { output: 'the standard output', reason: reasonOf(error) }, { cause: error }),
      asJson,
    );
    process.once('exit', () => {
      process.exitCode = failed;
    });
  });
  process.stderr.on('error', () => {});
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return complain(error, asJson);
  }
}
