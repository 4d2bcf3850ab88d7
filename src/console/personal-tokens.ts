import type { Actor } from '../audit/audit-log.js';
import type { StoredCredential } from '../credentials/credential-store.js';
import type { Member } from '../credentials/session-guard.js';

/** Whose tokens are meant: a member's own, in one tenant. */
export interface TokenOwner extends Member {
  readonly actor: Actor;
}

/** A token as its owner sees it. */
export type PersonalToken = Pick<
  StoredCredential,
  | 'id'
  | 'name'
  | 'maskedKey'
  | 'scopes'
  | 'spaces'
  | 'status'
  | 'createdAt'
  | 'expiresAt'
  | 'lastUsedAt'
>;

export const TOKEN_ACCESS = ['read', 'write'] as const;

/** What its owner decides about a new token. */
export interface NewPersonalToken {
  readonly name: string;
  /** `read`: everything that their role lets them read; `write`: everything that it lets them do. */
  readonly access: (typeof TOKEN_ACCESS)[number];
  /** `null`: it does not expire. */
  readonly expiresInDays: number | null;
  /** Ids; `null`: every space of the tenant. */
  readonly spaces: readonly string[] | null;
}

/**
 * The personal access tokens of somebody who has signed in. Throws the Problem `not_found` for what is
 * not theirs, `validation_failed` for what cannot be made.
 */
export interface PersonalTokens {
  /** The newest first. */
  list(owner: TokenOwner): Promise<readonly PersonalToken[]>;
  create(
    owner: TokenOwner,
    fields: NewPersonalToken,
  ): Promise<{ readonly name: string; readonly secret: string }>;
  revoke(owner: TokenOwner, id: string): Promise<void>;
}
