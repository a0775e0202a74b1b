/** The command line with its surroundings in order: what is set before the program and its libraries load. */
import { enableCompileCache } from 'node:module';
import { keepCachesIn, silence } from '../../lib/quiet.ts';
import { returnFreedMemory } from './allocator.ts';
import { cacheFolder } from './cache-folder.ts';
import { hideSecrets } from './process-title.ts';

returnFreedMemory(process.argv, process.env);
hideSecrets(process.argv);
// All before anything else is imported: libraries look at the environment as they load, and loading is what is cached.
silence();
const cache = cacheFolder(process.argv, process.env);
if (cache) {
  keepCachesIn(cache);
  enableCompileCache?.(cache);
}
const { run } = await import('../program.ts');
process.exitCode = await run(process.argv);
