import { z } from 'zod';

import { text } from '../http/validation.js';

/** Whose installations: those of the signed-in account, or those of everybody in the organization. */
const OWNERS = ['me', 'organization'] as const;
export type Owner = (typeof OWNERS)[number];

const MAX_CLIENT_ID = 2048;

const clientId = text(MAX_CLIENT_ID);
const reason = text(200).nullable().default(null);

/** The parameters that narrow the list of installations. */
export const appFilter = z.object({
  of: z.enum(OWNERS).default('me'),
  clientId: clientId.optional(),
});

export const disconnection = z.strictObject({ clientId, of: z.enum(OWNERS).default('me'), reason });

export const block = z.strictObject({ clientId, reason });
