import type { Actor } from '../audit/audit-log.js';

/** What is said of a refresh token, under the names of RFC 7662. */
export interface RefreshTokenFacts {
  /** Unused, unexpired, and nothing that it hangs on has ended. */
  readonly isActive: boolean;
  readonly scope: string;
  readonly client_id: string;
  readonly sub: string;
  readonly tenant_id: string;
  readonly environment: 'live';
  readonly spaces: null;
  readonly principal: { readonly kind: 'user'; readonly id: string };
  readonly role: string | undefined;
  /** Seconds since the epoch. */
  readonly exp: number;
}

/** Refresh tokens, towards those who do not exchange them. */
export interface RefreshTokens {
  /** @returns `undefined` if it is none that was issued to this client */
  find(clientId: string, secret: string): Promise<RefreshTokenFacts | undefined>;
  /**
   * Ends the whole family that it belongs to.
   * @param actor the client; nothing happens if the token is none of its own
   * @returns whether it is one of its own
   */
  revoke(actor: Actor, secret: string): Promise<boolean>;
}
