/** `assay doctor`: its options and its help. */
import { Command } from 'commander';
import { type Exit, whole, withScorer } from '../input/options.ts';

export function doctorCommand(exit: Exit): Command {
  return withScorer(new Command('doctor'))
    .summary('check what runs here, and how to fix what does not')
    .description('Check Node, execution providers, GPU, models, port and data folder.')
    .option('--port <n>', 'port to check', whole)
    .option('--socket <path>', 'unix socket to check')
    .action(async (options) => exit(await (await import('../doctor.ts')).doctor(options)));
}
