import { fileURLToPath } from 'node:url';

/**
 * Where the command line that tests start is kept compiled (`NODE_COMPILE_CACHE`). They start it some hundred times, and
 * it starts in half the time; else each start would fill a cache of its own, in the data folder of its test.
 */
export const COMPILED = fileURLToPath(new URL('../node_modules/.compile-cache', import.meta.url));
