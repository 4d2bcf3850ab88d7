/**
 * The algorithms of id_tokens. RS256 is what clients expect that say nothing else (OpenID Connect
 * Core §15.1); ES256 signs ten times faster.
 */
export const SIGNING_ALGORITHMS = ['RS256', 'ES256'] as const;

export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** The algorithm for a new client that names none. */
export const DEFAULT_SIGNING_ALGORITHM: SigningAlgorithm = 'RS256';

/** The algorithm of clients that were stored without one: there was no other when they registered. */
export const FORMER_SIGNING_ALGORITHM: SigningAlgorithm = 'ES256';
