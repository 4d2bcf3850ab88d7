import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { annotationAnswer, annotationFields, presentAnnotations } from '../http/annotations.js';
import { time } from '../http/answers.js';
import { text } from '../http/validation.js';
import type { StoredTenant } from './tenant-store.js';

const annotations = annotationFields(holdsCredential);

/** The members of a tenant that can be changed. */
export const tenantFields = z.strictObject({
  name: text(100).refine((value) => !holdsCredential(value), 'must not contain a credential'),
  slug: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and dashes'),
});

/** A new tenant. Without a slug it gets one that is made of the name. */
export const newTenant = z.strictObject({
  name: tenantFields.shape.name,
  slug: tenantFields.shape.slug.optional(),
  ...annotations.created,
});
export type NewTenant = z.output<typeof newTenant>;

/** A change of a tenant. Absent members are not changed. */
export const tenantChange = tenantFields.partial().extend(annotations.changed);
export type TenantChange = z.output<typeof tenantChange>;

export const tenantAnswer = z.strictObject({
  id: z.string(),
  slug: z.string(),
  name: z.string(),
  status: z.enum(['active', 'suspended']),
  suspendedAt: time.nullable(),
  createdAt: time,
  ...annotationAnswer,
});

/** Presents a tenant to the operator. */
export function presentTenant(tenant: StoredTenant) {
  const { id, slug, name, suspendedAt, createdAt } = tenant;
  const status = suspendedAt === null ? 'active' : 'suspended';
  return { id, slug, name, status, suspendedAt, createdAt, ...presentAnnotations(tenant) };
}
