/** Run with a software GPU: loads the scorer `test-bright` of a folder on WebGPU, and prints what became of an image. */
import { openCatalog } from '../../src/reward/model/catalog.ts';
import { picture } from './images.ts';

const parent = process.argv[2]!;
const catalog = openCatalog({
  ...{ modelDirs: [parent], defaultId: 'test-bright', dataDir: parent },
  ...{ providers: ['webgpu'], threads: 1, workers: 1 },
});
const scorer = await catalog.open();
const { gpu, provider, batch } = scorer;
const judge = async (onCpu: boolean): Promise<number> =>
  (await scorer.judge(picture(32, 32), null, AbortSignal.timeout(60_000), onCpu)).aspects.quality!.score;
const loaded = () => scorer.graphs.map((graph) => graph.loaded);
const scores = [await judge(false), await judge(true)];
const [before, released, after] = [loaded(), catalog.release('test-bright'), loaded()];
const again = await judge(false);
const { precision } = scorer.graphs[0]!;
process.stdout.write(
  `${JSON.stringify({ gpu, provider, batch, scores, before, released, after, again, precision })}\n`,
);
await catalog.close();
process.exit(0);
