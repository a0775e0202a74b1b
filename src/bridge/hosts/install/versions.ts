/** Versions in Python projects, read as text: nothing of a foreign project is run. */
import { readFileSync } from 'node:fs';

/** The text of a file; empty when it cannot be read. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // what is not there says nothing
  }
}

/** `version` of the `[project]` table of a pyproject.toml; null when it says none. */
export function projectVersion(path: string): string | null {
  const table = /^\[project\][ \t]*\r?\n([\s\S]*?)(?=^\[|(?![\s\S]))/m.exec(textOf(path))?.[1] ?? '';
  return /^version[ \t]*=[ \t]*["']([^"']+)["']/m.exec(table)?.[1] ?? null;
}

/** `__version__` of a Python file; null when it says none. */
export const moduleVersion = (path: string): string | null =>
  /^__version__[ \t]*=[ \t]*["']([^"']+)["']/m.exec(textOf(path))?.[1] ?? null;
