/** What the driver says of this process's GPU memory. */
import { spawnSync } from 'node:child_process';

const QUERY = ['--query-compute-apps=pid,used_gpu_memory', '--format=csv,noheader,nounits'];
const MIB_IN_MB = 1.048576;

/** GPU memory that this process holds, in MB, summed over GPUs; null where nvidia-smi has no figure for it. */
export function gpuMemoryMb(): number | null {
  const { status, stdout } = spawnSync('nvidia-smi', QUERY, { encoding: 'utf8', timeout: 5000 });
  if (status !== 0) return null;
  const own = stdout
    .split('\n')
    .map((line) => line.split(',').map(Number))
    .filter(([pid, used]) => pid === process.pid && Number.isFinite(used));
  return own.length > 0 ? Math.round(own.reduce((sum, [, used]) => sum + used! * MIB_IN_MB, 0)) : null;
}
