export async function runEval(_o: unknown): Promise<number> {
  return 0;
}
