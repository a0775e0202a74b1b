#!/usr/bin/env node
// Caching compiled modules halves the cold start, so it is switched on before anything else is imported.
import { enableCompileCache } from 'node:module';

enableCompileCache?.();
const { run } = await import('./program.ts');
process.exitCode = await run(process.argv);
