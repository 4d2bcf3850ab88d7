import { expect } from '@jest/globals';
import type { Response } from 'supertest';

import { NO_LIMITS } from './no-limits.js';

/** An empty variable brings the default back. */
export const DEFAULT_LIMITS = Object.fromEntries(Object.keys(NO_LIMITS).map((name) => [name, '']));

/** The beginning of a slot of either window, so that what is counted at once leaves at once. */
export const START = 1_800_000_000_000;

/** Reads a budget from an answer: limit, remaining, reset; undefined if the answer has none. */
export function told(answer: Response, name: 'tenant' | 'key'): number[] | undefined {
  const figures = ['limit', 'remaining', 'reset'].map(
    (figure) => answer.headers[`ratelimit-${name}-${figure}`],
  );
  if (figures.every((figure) => figure === undefined)) return undefined;
  for (const figure of figures) expect(figure).toMatch(/^\d+$/);
  return figures.map(Number);
}
