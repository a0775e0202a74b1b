/** How many nodes of a scorer's graphs each provider of this machine leaves to the CPU. */
import { join } from 'node:path';
import { type Placement, placementOf } from '../graph/placement.ts';
import type { ProviderStatus } from '../graph/providers.ts';
import { type Scorer, type ScorerOptions, sessionSpec } from '../scorer.ts';
import type { ModelFolder } from './manifest.ts';
import { planLoad } from './plan.ts';

const TIMEOUT_MS = 600_000;

/** Runs each graph once on every provider that works, but for the CPU. A provider that does not take one is left out. */
export async function placementsOf(
  scorer: Scorer,
  model: ModelFolder,
  options: ScorerOptions & { dataDir: string },
  providers: ProviderStatus[],
): Promise<Placement[]> {
  const others = providers.filter(({ name, available }) => available && name !== 'cpu');
  if (others.length === 0 || model.manifest.backend !== 'onnx') return [];
  const side = Math.max(model.manifest.image.width, model.manifest.image.height);
  const grey = { data: new Uint8Array(side * side * 3).fill(128), width: side, height: side };
  const feeds = await scorer.feeds(grey, 'a', AbortSignal.timeout(TIMEOUT_MS));
  const plan = planLoad(model, options);
  const found: Placement[] = [];
  for (const { name, precision } of others)
    for (const spec of model.manifest.graphs) {
      const own = { ...plan, providers: [name], precision };
      const session = sessionSpec(model, own, spec, options);
      const scratch = join(options.dataDir, 'cache');
      const one = placementOf(spec.graph, session, feeds[spec.graph]!, scratch);
      found.push(...(await one.then((placement) => [placement]).catch(() => [])));
    }
  return found;
}
