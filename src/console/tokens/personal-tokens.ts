import type { Actor } from '../../audit/index.js';
import type { Member, StoredCredential } from '../../credentials/index.js';

/** The owner of personal tokens: a member of one tenant. */
export interface TokenOwner extends Member {
  readonly actor: Actor;
}

/** A personal access token, without its secret. */
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

/** The owner's choices for a new token. */
export interface NewPersonalToken {
  readonly name: string;
  /** `read`: every `:read` scope that the role delegates. `write`: every scope that it delegates. */
  readonly access: (typeof TOKEN_ACCESS)[number];
  /** `null` for a token that does not expire. */
  readonly expiresInDays: number | null;
  /** Ids; `null` for every space of the tenant. */
  readonly spaces: readonly string[] | null;
}

/**
 * The personal access tokens of a signed-in user. Throws the Problem `not_found` for another user's token, and
 * `validation_failed` for an invalid new token.
 */
export interface PersonalTokens {
  /** Newest first. */
  list(owner: TokenOwner): Promise<readonly PersonalToken[]>;
  create(
    owner: TokenOwner,
    fields: NewPersonalToken,
  ): Promise<{ readonly name: string; readonly secret: string }>;
  revoke(owner: TokenOwner, id: string): Promise<void>;
}
