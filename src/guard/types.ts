/** The kinds of principal that a credential represents. */
export const PRINCIPAL_KINDS = ['tenant', 'user', 'service', 'agent', 'publishable'] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

/** The ways in which a request can carry a credential. */
export type Presentation = 'bearer' | 'dpop' | 'token' | 'x-api-key' | 'brand-header' | 'query';

/** One credential, and the request that presented it, as in a body of `POST /api/v1/verify`. */
export interface Question {
  readonly credential: string;
  readonly presentation?: Presentation;
  /** The publishable key that came beside a user's token, in `X-API-Key`. */
  readonly publishableKey?: string;
  readonly method?: string;
  /** The client's address. Without it, credentials with an allow-list are refused. */
  readonly address?: string;
  readonly scopes?: readonly string[];
  readonly principals?: readonly PrincipalKind[];
  readonly space?: string;
  readonly resource?: { readonly type: string; readonly id: string };
  /** `claimed`: this guard has asked about the proof before, for the same request. */
  readonly dpop?: { readonly proof: string; readonly url: string; readonly claimed?: true };
  /** Units of the credential's budgets; 0 leaves them alone. */
  readonly cost?: number;
}

/** The use of a budget. `limit` and `remaining` are `null` if it is unlimited. */
export interface Usage {
  readonly limit: number | null;
  readonly used: number;
  readonly remaining: number | null;
  readonly resetSeconds: number;
  readonly windowSeconds: number;
}

/** The budgets of a credential. `apiKey` is `null` for tokens, which have a `share` of the tenant's. */
export interface Limits {
  readonly tenant: Usage;
  readonly apiKey: Usage | null;
  readonly share?: Usage;
}

/** `null` where the credential has no such thing. */
interface Annotations<Value> {
  readonly tenant: Value | null;
  readonly account: Value | null;
  readonly key: Value | null;
}

/** An accepted credential: the members of `/api/v1/me`, and the facts that the verdict depends on. */
export interface ActiveVerdict {
  readonly active: true;
  readonly type: string;
  readonly tenantId: string;
  readonly environment: 'live' | 'test';
  readonly scopes: readonly string[];
  readonly principal: { readonly kind: PrincipalKind; readonly id: string };
  /** The spaces that it may enter; `null` for all. */
  readonly spaces: readonly string[] | null;
  /** The resources that it is bound to; `null` if it is unbound. */
  readonly bindings: readonly { readonly type: string; readonly id: string }[] | null;
  readonly expiresAt: string | null;
  /** Ids that the operator gave the tenant, the account and the key. */
  readonly externalIds: Annotations<string>;
  /** Metadata that the operator gave them. */
  readonly metadata: Annotations<Readonly<Record<string, unknown>>>;
  /** Only if the question named no address. */
  readonly allowedIps?: readonly string[] | null;
  readonly limits: Limits;
  /** The ids whose end ends the credential, and the position in the order of changes at which it was read. */
  readonly subjects: readonly string[];
  readonly position: string;
  readonly dpopNonce?: string;
  readonly keyId?: string;
  readonly keyName?: string;
  readonly clientId?: string;
  readonly clientName?: string;
  readonly userId?: string;
  readonly role?: string;
}

/** A refused credential, with the answer that Gatehouse's own API would give. */
export interface RefusedVerdict {
  readonly active: false;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly retryAfterSeconds?: number;
  readonly limits?: Limits;
  /** The `error` of the challenge, if it is not that of the status. */
  readonly error?: string;
  /** The schemes of the challenge, if they are not that of the presentation. */
  readonly schemes?: readonly string[];
  readonly dpopNonce?: string;
}

export type Verdict = ActiveVerdict | RefusedVerdict;

/** Gatehouse cannot be asked, or does not answer in time. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

/** Gatehouse refuses the question itself, such as an unknown scope in a rule. */
export class QuestionError extends Error {
  override readonly name = 'QuestionError';
}
