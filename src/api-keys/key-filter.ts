import { z } from 'zod';

import type { CredentialFilter } from '../credentials/index.js';
import {
  CREDENTIAL_STATUSES,
  ENVIRONMENTS,
  KEY_KINDS,
  type Environment,
} from '../credentials/kinds.js';
import { annotationQuery } from '../http/annotations.js';
import { text } from '../http/validation.js';
import { managedKinds, ownerOf, type KeyManager } from './authority.js';

const MAX_DAYS = 36_500;

/** The parameters that narrow a list of keys, in the API and on the command line. */
export const keyFilter = z.object({
  environment: z.enum(ENVIRONMENTS).optional(),
  kind: z.enum(KEY_KINDS).optional(),
  status: z.enum(CREDENTIAL_STATUSES).optional(),
  search: text(100).optional(),
  unusedDays: z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number of days, from 1 to ${MAX_DAYS}`)
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_DAYS))
    .optional(),
  ...annotationQuery,
});

/**
 * The filter of a manager's list.
 * @param given the parameters, as `keyFilter` read them
 * @param visible the environments and spaces that the manager sees
 */
export function credentialFilterOf(
  { environment, kind, ...rest }: z.output<typeof keyFilter>,
  visible: {
    readonly by: KeyManager;
    readonly environments: readonly Environment[];
    readonly spaces: readonly string[] | null;
  },
): CredentialFilter {
  return {
    ...rest,
    kinds: only(managedKinds(visible.by), kind),
    environments: only(visible.environments, environment),
    accountId: ownerOf(visible.by),
    spaces: visible.spaces,
  };
}

function only<Item>(items: readonly Item[], wanted: Item | undefined): readonly Item[] {
  return items.filter((item) => wanted === undefined || item === wanted);
}
