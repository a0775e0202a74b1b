/** What work costs, whatever else the machine does. */

/** Milliseconds of this thread's processor that `work` takes. */
export function cpuMsOf(work: () => void): number {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}
