/** Work without the rights of the superuser, whom no mode of a file stops. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Whoever `unprivileged` runs as. */
export const uid = isRoot ? NOBODY : (process.getuid?.() ?? 0);

export async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work();
  process.seteuid!(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
  }
}
