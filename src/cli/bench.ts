export async function bench(_o: unknown): Promise<number> {
  return 0;
}
