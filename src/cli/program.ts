/** The commands and their options. Parses and dispatches; each command's file is imported when it runs. */
import { Command, CommanderError, Option } from 'commander';
import { EXIT } from '../errors.ts';
import { complain } from './complaint.ts';
import { FORMATS } from './flags.ts';
import { installCommand, rejectsCommand, watchCommand } from './host-commands.ts';
import { type Exit, whole, withScorer } from './options.ts';
import { version } from './version.ts';

function scoreCommand(exit: Exit): Command {
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
      '--ratings <csv>',
      'CSV file: name, mos_quality and/or mos_align, optionally generator and prompt',
    )
    .option('--ratings-range <low,high>', "scale of the ratings, when it is not the scorer's")
    .option('-o, --out <dir>', 'folder for report.json, report.html and predictions.csv', 'assay-eval')
    .action(async (options) => exit(await (await import('./eval.ts')).runEval(options)));
}

function benchCommand(exit: Exit): Command {
  return withScorer(new Command('bench'))
    .summary('measure speed and overhead on this machine')
    .description(
      'Throughput and latency of the daemon against the bare model, start-up time, memory, batch invariance.',
    )
    .option('--json', 'print JSON')
    .option('--quick', 'a rough look, in seconds instead of a minute')
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
    benchCommand,
    modelsCommand,
    doctorCommand,
  ];
  for (const make of commands) program.addCommand(make(exit));
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
