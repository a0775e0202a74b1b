/** `assay bench`: its options and its help. */
import { Command } from 'commander';
import { type Exit, withScorer } from '../input/options.ts';

export function benchCommand(exit: Exit): Command {
  return withScorer(new Command('bench'))
    .summary('measure speed and overhead on this machine')
    .description(
      'Throughput and latency of the daemon against the bare model, start-up time, memory, batch invariance.',
    )
    .option('--json', 'print JSON')
    .option('--quick', 'a rough look: fewer starts and images, a fraction of the time')
    .action(async (options) => exit(await (await import('../bench.ts')).bench(options)));
}
