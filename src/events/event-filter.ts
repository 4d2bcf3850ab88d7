import { z } from 'zod';

import { text } from '../http/validation.js';

const MAX_TYPES = 50;
/** `*`, a type such as `api_key.create`, or all that begin alike, such as `api_key.*`. */
const TYPE = /^(\*|[a-z][a-z_]*(\.[a-z][a-z_]*)*(\.\*)?)$/;
const MESSAGE = 'must be a type such as api_key.create, or api_key.*, or *';

/** The types of events that are wanted. `*` means all. */
export const eventTypes = z.array(text(100).regex(TYPE, MESSAGE)).max(MAX_TYPES);

/** As `eventTypes`, with commas. */
export const eventTypesText = text(2000)
  .transform((value) => value.split(',').map((each) => each.trim()))
  .refine((types) => types.length <= MAX_TYPES && types.every((each) => TYPE.test(each)), {
    error: `${MESSAGE}; ${MAX_TYPES} of them at most, with commas`,
    params: { code: 'invalid_format' },
  });

/** Filters of events. */
export interface EventFilter {
  /** `[]` and `*` mean all. */
  readonly types: readonly string[];
  readonly tenantId: string | undefined;
}

/** The types of a filter for SQL: exact ones, and beginnings. `undefined` for all. */
export function typePatterns(
  types: readonly string[],
): { readonly exact: readonly string[]; readonly begins: readonly string[] } | undefined {
  if (types.length === 0 || types.includes('*')) return undefined;
  return {
    exact: types.filter((type) => !type.endsWith('*')),
    begins: types.filter((type) => type.endsWith('*')).map((type) => type.slice(0, -1)),
  };
}
