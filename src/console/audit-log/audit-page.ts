import type { EntryRow } from './entry-view.js';

/** The page of the audit log. */
export interface AuditPage {
  readonly tenantName: string;
  readonly retention: string;
  readonly action: string;
  /** Fields of the form that are not shown: organization and environment. */
  readonly hidden: readonly (readonly [name: string, value: string])[];
  readonly values: Readonly<Record<string, string>>;
  readonly errors: Readonly<Record<string, string>>;
  readonly isFiltered: boolean;
  /** Whether a filter is given that is not among the first ones. */
  readonly hasMore: boolean;
  readonly all: string;
  readonly actions: readonly { readonly value: string; readonly text: string }[];
  readonly entries: readonly EntryRow[];
  readonly count: string;
  readonly first: string | undefined;
  readonly next: string | undefined;
  readonly exports: readonly { readonly text: string; readonly href: string }[];
}
