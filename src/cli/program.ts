/** The command line: built from the table of commands, parsed, and dispatched. */
import { Command, CommanderError } from 'commander';
import { fail, reasonOf } from '../errors/error.ts';
import { EXIT } from '../errors/exit.ts';
import { version } from '../lib/version.ts';
import { COMMANDS } from './commands/index.ts';
import { usage } from './input/flags.ts';
import type { Exit } from './input/options.ts';
import { stopForReader } from './process/stop-signal.ts';
import { goToUser } from './process/working-folder.ts';
import { complain } from './terminal/complaint.ts';

/** Wrong options are told as all other errors are. */
const OUTPUT = {
  outputError: (text: string, write: (text: string) => void) => write(text.replace(/^error: /, 'assay: ')),
};

function buildProgram(exit: Exit): Command {
  const program = new Command('assay')
    .description('Scores the images that diffusion models make.')
    .version(version)
    .showHelpAfterError('Run with --help for the options.');
  for (const make of COMMANDS) program.addCommand(make(exit));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((c) => c.commands)])
    command.exitOverride().configureOutput(OUTPUT);
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
