/** `assay models`: its subcommands, their options and their help. */
import { Command } from 'commander';
import { type Exit, withScorer } from '../input/options.ts';

export function modelsCommand(exit: Exit): Command {
  const models = new Command('models').summary('list, inspect, verify and import scorers');
  const load = () => import('../models.ts');
  withScorer(models.command('list'))
    .description('List the installed scorers.')
    .option('--json', 'print JSON')
    .action(async (options) => exit(await (await load()).listModels(options)));
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
