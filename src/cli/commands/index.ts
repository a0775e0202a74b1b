/**
 * The commands, in the order of the help. A row declares options and help, and imports what does the work when it runs:
 * all rows are read at every start.
 */
import type { Command } from 'commander';
import type { Exit } from '../input/options.ts';
import { benchCommand } from './bench.ts';
import { bestCommand } from './best.ts';
import { calibrateCommand } from './calibrate.ts';
import { doctorCommand } from './doctor.ts';
import { evalCommand } from './eval.ts';
import { exportCommand } from './export.ts';
import { installCommand } from './install.ts';
import { mcpCommand } from './mcp.ts';
import { modelsCommand } from './models.ts';
import { promptCommand } from './prompt.ts';
import { refineCommand } from './refine.ts';
import { rejectsCommand } from './rejects.ts';
import { scoreCommand } from './score.ts';
import { serveCommand } from './serve.ts';
import { watchCommand } from './watch.ts';

export const COMMANDS: readonly ((exit: Exit) => Command)[] = [
  scoreCommand,
  serveCommand,
  installCommand,
  watchCommand,
  bestCommand,
  refineCommand,
  mcpCommand,
  calibrateCommand,
  rejectsCommand,
  evalCommand,
  exportCommand,
  promptCommand,
  benchCommand,
  modelsCommand,
  doctorCommand,
];
