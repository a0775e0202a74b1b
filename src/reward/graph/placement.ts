/** On which provider each node of a graph is run, as the runtime's own profile says. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createFolder } from '../../lib/folder.ts';
import { silence } from '../../lib/quiet.ts';
import { type SessionSpec, stack, type Tensors } from './tensor.ts';

/** How many nodes of a graph there are after optimisation, and how many of them were left to the CPU. */
export interface Placement {
  graph: string;
  provider: string;
  nodes: number;
  onCpu: number;
  /** Operators of those. */
  operators: string[];
}

const profileSchema = z.array(
  z.looseObject({
    cat: z.string().optional(),
    name: z.string(),
    args: z.looseObject({ provider: z.string().optional(), op_name: z.string().optional() }).optional(),
  }),
);

const CPU = 'CPUExecutionProvider';
/** Copies to and from the device, which the runtime puts in. */
const COPY = /^Memcpy/;

/**
 * Runs a graph once on a provider and counts.
 *
 * @param feeds of one image, without the batch dimension
 * @param scratch folder for the profile, which is deleted
 * @throws what the runtime throws when the provider does not take the graph
 */
export async function placementOf(
  graph: string,
  spec: SessionSpec,
  feeds: Tensors,
  scratch: string,
): Promise<Placement> {
  silence();
  const { openOnnxSession } = await import('./session.ts');
  createFolder(scratch, 0o700);
  const folder = mkdtempSync(join(scratch, 'profile-'));
  try {
    const session = await openOnnxSession({ ...spec, profile: join(folder, 'run') });
    await session.run(
      Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, stack([tensor])])),
    );
    await session.release();
    const [file] = readdirSync(folder);
    return { graph, provider: session.provider, ...counted(readFileSync(join(folder, file!), 'utf8')) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function counted(profile: string): Pick<Placement, 'nodes' | 'onCpu' | 'operators'> {
  const run = profileSchema
    .parse(JSON.parse(profile))
    .filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'))
    .filter(({ args }) => !COPY.test(args?.op_name ?? ''));
  const left = run.filter(({ args }) => args?.provider === CPU);
  return {
    nodes: run.length,
    onCpu: left.length,
    operators: [...new Set(left.map(({ args }) => args?.op_name ?? '?'))],
  };
}
