#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { silence } from '../quiet.ts';
import { compileCache } from './compile-cache.ts';
import { hideSecrets } from './process-title.ts';

hideSecrets(process.argv);
// Both before anything else is imported: dependencies look at the environment as they load, and loading is what is cached.
silence();
const cache = compileCache(process.argv, process.env);
if (cache) enableCompileCache?.(cache);
const { run } = await import('./program.ts');
process.exitCode = await run(process.argv);
