export const CONTACT_TYPES = [
  'customer',
  'general_contractor',
  'architect',
  'city',
  'hoa',
  'vendor',
  'subcontractor',
  'supplier',
  'employee',
  'partner',
  'other',
] as const;

/** The members of a contact that a client can set. */
export interface ContactFields {
  readonly firstName: string | null;
  readonly lastName: string | null;
  readonly companyName: string | null;
  readonly email: string | null;
  readonly phone: string | null;
  readonly type: (typeof CONTACT_TYPES)[number];
}

/** A person or company that a tenant deals with. */
export interface Contact extends ContactFields {
  readonly id: string;
  /** RFC 3339, in UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}
