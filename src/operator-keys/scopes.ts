/** The scopes of operator keys. They are apart from the catalogue: no other credential can have them. */
export const OPERATOR_SCOPES = [
  'tenants:manage',
  'accounts:manage',
  'clients:manage',
  'credentials:manage',
  'resources:manage',
  'events:read',
] as const;
export type OperatorScope = (typeof OPERATOR_SCOPES)[number];
