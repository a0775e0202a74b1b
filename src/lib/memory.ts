/** Resident memory, where it can be read: on Linux it takes a file descriptor, which a busy process may not get. */
export function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
