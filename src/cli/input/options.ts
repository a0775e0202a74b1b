/** Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError } from 'commander';
import { PROVIDERS } from '../../config.ts';

/** Told the exit code of a command when it is done. */
export type Exit = (code: number) => void;

export function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

export function atLeastOne(text: string): number {
  const number = whole(text);
  if (number === 0) throw new InvalidArgumentError('It must be at least 1.');
  return number;
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim());
/** Values of an option that may be given several times. */
export const collect = (text: string, before: string[] = []): string[] => [...before, text];

export const withScorer = (command: Command): Command =>
  command
    .option('-s, --scorer <id>', 'scorer to use, id or id@version (see `assay models list`)')
    .option('--variant <name>', "variant of the scorer's weights, e.g. int8 or fp32")
    .option('--providers <list>', `execution providers in order of preference: ${PROVIDERS.join(', ')}`, list)
    .option('--threads <n>', 'threads for inference', whole)
    .option('--models <dir>', 'folder with further model folders (repeatable)', collect)
    .option('--data-dir <dir>', "folder for Assay's own data: history, imported models")
    .option('--config <file>', 'JSON file with settings');
