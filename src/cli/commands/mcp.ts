/** `assay mcp`: its options and its help. The flags that name a host are those of the table of hosts. */
import { Command } from 'commander';
import { collect, type Exit, withScorer } from '../input/options.ts';
import { withHosts } from '../watch/options.ts';

const HELP = `
An agent starts this command itself, and speaks the Model Context Protocol with it on the standard streams. In its
configuration:

  {"mcpServers": {"assay": {"command": "assay", "args": ["mcp", "--allow", "/path/to/images"]}}}

It ends when its standard input closes; searches that run then are stopped, and can be gone on with.`;

export const mcpCommand = (exit: Exit): Command =>
  withHosts(withScorer(new Command('mcp')))
    .summary('let an agent score images, pick the best and run searches (Model Context Protocol)')
    .description('Serve tools for agents on the standard streams: score, pick, history, prompts, searches.')
    .option(
      '--allow <dir>',
      'folder whose images and workflows the agent may name (repeatable; default: this folder)',
      collect,
    )
    .addHelpText('after', HELP)
    .action(async (options) => exit(await (await import('../mcp.ts')).mcp(options, process.argv.slice(3))));
