/** `assay serve`: its options and its help. */
import { Command, Option } from 'commander';
import { HOST_KINDS } from '../../bridge/hosts/kinds.ts';
import { type Exit, whole, withScorer } from '../input/options.ts';

export function serveCommand(exit: Exit): Command {
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
    .addOption(
      new Option('--watch <hosts...>', 'score every image of a host, too, as `assay watch` does').choices(
        HOST_KINDS.map(({ id }) => id),
      ),
    )
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .option(
      '--keep-alive <seconds>',
      'free a scorer after this long without work (default 600; 0 never)',
      whole,
    )
    .action(async (options) => exit(await (await import('../serve.ts')).serve(options)));
}
