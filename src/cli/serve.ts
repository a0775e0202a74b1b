export async function serve(_o: unknown): Promise<number> {
  return 0;
}
