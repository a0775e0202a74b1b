/** `assay doctor`: its options and its help. The flags that name a host are those of the table of hosts. */
import { Command } from 'commander';
import { type Exit, whole, withScorer } from '../input/options.ts';
import { withHosts } from '../watch/options.ts';

export function doctorCommand(exit: Exit): Command {
  return withHosts(withScorer(new Command('doctor')))
    .summary('check what runs here, and how to fix what does not')
    .description('Check Node, execution providers, GPU, models, hosts, port and data folder.')
    .option('--port <n>', 'port to check', whole)
    .option('--socket <path>', 'unix socket to check')
    .action(async (options) => exit(await (await import('../doctor.ts')).doctor(options)));
}
