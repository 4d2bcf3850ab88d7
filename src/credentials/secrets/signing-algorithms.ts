/**
 * The algorithms of id_tokens. RS256 is the default of OpenID Connect (Core §15.1). ES256 signs ten times faster.
 */
export const SIGNING_ALGORITHMS = ['RS256', 'ES256'] as const;

export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** The algorithm of a new client that does not register one. */
export const DEFAULT_SIGNING_ALGORITHM: SigningAlgorithm = 'RS256';

/** The algorithm of clients stored without one, by a release that supported no other. */
export const FORMER_SIGNING_ALGORITHM: SigningAlgorithm = 'ES256';

/** The algorithms of assertions with which clients authenticate. All are asymmetric. */
export const ASSERTION_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;

export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];
