import { readFileSync } from 'node:fs';

/** Templates, styles and scripts. Beside `src`, both in the sources and in a build. */
export const VIEWS = new URL('../../../views/', import.meta.url);

/** @throws Error if the file is missing */
export function readView(file: string): string {
  return readFileSync(new URL(file, VIEWS), 'utf8');
}
