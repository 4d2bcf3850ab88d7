import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import type { BackgroundWork } from '../db/background-work.js';
import { brandHeaders } from './route-guard/brand-headers.js';
import { corsRulesFor } from './route-guard/cross-origin.js';
import { createGuard } from './route-guard/guard.js';
import { createConclusion, createJudge, createJudgeAll } from './route-guard/judge.js';
import { createProofCheck } from './route-guard/proof-check.js';
import { createProofs } from './proofs/proofs.js';
import { createSecretFormat } from './secrets/format.js';
import type { Keyring } from './secrets/keyring.js';
import { createActivityRecorder } from './store/activity.js';
import type { Lookup } from './verification/lookup.js';
import { createImportedPrefixes } from './verification/prefixes.js';
import { createPresentations } from './verification/presentation.js';
import type { VERIFICATION_QUERIES } from './verification/verification-queries.js';
import { createVerifier } from './verification/verifier.js';

interface Dependencies {
  /** `TOKEN_BRAND`, the prefix of credentials and a part of header names. */
  readonly brand: string;
  readonly issuer: string;
  readonly dataSource: DataSource;
  readonly lookup: Lookup<keyof typeof VERIFICATION_QUERIES>;
  readonly keyring: Keyring;
  readonly clientAddress: (request: IncomingMessage) => string;
  /** The resources served here. Tokens for another audience are refused (RFC 8707 §2.2). */
  readonly audiences: readonly string[];
  /** The address of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadataUrl: string;
  readonly register: Registry;
  readonly log: Logger;
  readonly work: BackgroundWork;
}

export type Credentials = ReturnType<typeof createCredentials>;

/** Composes the parts that read, judge and admit credentials. */
export function createCredentials(dependencies: Dependencies) {
  const { brand, issuer, dataSource, lookup, keyring } = dependencies;
  const headers = brandHeaders(brand);
  const format = createSecretFormat({ brand });
  const presentations = createPresentations(headers.token, format);
  const activity = createActivityRecorder(dependencies);
  const prefixes = createImportedPrefixes(dataSource.manager, format.start);
  const verifier = createVerifier({ lookup, format, prefixes, keyring, observer: activity });
  const conclude = createConclusion({ ...dependencies, activity });
  const judge = createJudge({ ...dependencies, verifier, activity }, conclude);
  const keyHeaders = ['X-API-Key', headers.token];
  const proofs = createProofs(dataSource.manager, keyring);
  const proofCheck = createProofCheck(proofs, issuer);
  return {
    /** The names of headers with the product's brand. */
    headers,
    /** The headers that carry keys, in addition to `Authorization`. */
    keyHeaders,
    /** @param origins `CORS_ALLOWED_ORIGINS` */
    corsRules: (origins: readonly string[]) =>
      corsRulesFor({ brand, presentations, keyHeaders, origins }),
    format,
    presentations,
    activity,
    prefixes,
    verifier,
    proofs,
    judge,
    judgeAll: createJudgeAll({ verifier, judge, conclude }),
    guard: createGuard({ ...dependencies, judge, presentations, activity, proofCheck }),
    ...createQuietParts({ ...dependencies, format, prefixes, presentations, proofCheck }),
  };
}

/** The verifier and the guard for tests of credentials: they leave no trace of a use, and count nothing. */
function createQuietParts(
  dependencies: Omit<Parameters<typeof createGuard>[0], 'judge' | 'activity'> &
    Pick<Dependencies, 'lookup' | 'keyring' | 'audiences'> & {
      readonly format: ReturnType<typeof createSecretFormat>;
      readonly prefixes: ReturnType<typeof createImportedPrefixes>;
    },
) {
  const ignore = () => undefined;
  const verifier = createVerifier({ ...dependencies, observer: { noteOldDigest: ignore } });
  const activity = {
    noteUse: ignore,
    noteGrantUse: ignore,
    noteRefusal: ignore,
    noteAnswer: ignore,
  };
  const judge = createJudge({ ...dependencies, verifier, activity, register: new Registry() });
  return {
    quietVerifier: verifier,
    quietGuard: createGuard({ ...dependencies, judge, activity }),
  };
}

export {
  type Coverage,
  coverageOf,
  type DescribedPrincipal,
  type DescribedVerdict,
  describePrincipal,
  describeVerdict,
  readablePaths,
} from './coverage.js';
export { PROOF_ALGORITHMS, type Proof } from './proofs/proof-reader.js';
export { proofSubjects } from './proofs/proof-subject.js';
export type { Proofs } from './proofs/proofs.js';
export { createUsedProofs, deleteExpiredProofs, type UsedProofs } from './proofs/used-proofs.js';
export { corsOf } from './route-guard/cross-origin.js';
export { type Access, ANY_PRINCIPAL } from './route-guard/admission.js';
export {
  type Challenge,
  type ChallengeError,
  createChallenge,
  schemeOf,
  withChallenge,
} from './route-guard/challenge.js';
export { type GuardedState, guardLateBody, isHidden } from './route-guard/guard.js';
export type { Judge, JudgeAll, Judgement, ProofOf, Target } from './route-guard/judge.js';
export { readProof } from './route-guard/proof-check.js';
export { type Reason, refusalOf } from './route-guard/refusals.js';
export {
  guardedRoute,
  type GuardedRoute,
  sessionRoute,
  type SessionRoute,
} from './route-guard/declare-routes.js';
export {
  chooseTenant,
  createSessionGuard,
  type Member,
  type SessionAccess,
  type SessionState,
  type SignedIn,
} from './route-guard/session-guard.js';
export { MAX_SESSIONS, SESSION_LIFETIMES } from './route-guard/session-lifetimes.js';
export { sessionPrincipal } from './route-guard/session-principal.js';
export {
  presentedExchange,
  presentedKey,
  presentedToken,
  principalMembers,
  timeText,
} from './principal-presenter.js';
export {
  type Annotated,
  idempotencyCallerOf,
  keyIdOf,
  type Principal,
  requestFactsOf,
  UNANNOTATED,
} from './principal.js';
export {
  deleteExpiredRevocations,
  deleteNeedlessRevocations,
} from './revocation/revocation-cleanup.js';
export { createRevocationStore, type RevocationStore } from './revocation/revocation-store.js';
export { createSecretFormat, holdsCredential, type SecretFormat } from './secrets/format.js';
export { createKeyring, type Digest, type Keyring, type Sealed } from './secrets/keyring.js';
export type { ActivityRecorder } from './store/activity.js';
export { noteKeyDeadlines } from './store/key-sweep.js';
export { deleteEndedPersonalTokens, deleteOldUses } from './store/credential-cleanup.js';
export type { CredentialFilter } from './store/credential-list.js';
export type { ListedCredential } from './store/listed-row.js';
export type { SealedKey, WrittenKey } from './store/credential-page.js';
export {
  createCredentialStore,
  findTenantOfKey,
  type CredentialChange,
  type CredentialStore,
  type StoredCredential,
} from './store/credential-store.js';
export { resealUnderCurrentKey, sealingContextOf } from './store/sealed-secret.js';
export {
  KEY_LENGTH,
  type KeyPattern,
  parsePattern,
  PATTERN_FORMS,
} from './verification/key-pattern.js';
export {
  createBatchedLookup,
  type Lookup,
  type LookupQueries,
  type LookupRow,
  type ProbedLookup,
} from './verification/lookup.js';
export { createVerifierPool } from './verification/pool.js';
export {
  createImportedPrefixes,
  type DeclaredForms,
  declareForms,
  type ImportedPrefixes,
  REFRESHED_WITHIN_SECONDS,
} from './verification/prefixes.js';
export type { Presentations, Presented } from './verification/presentation.js';
export {
  createVerifier,
  digestedOfImported,
  type DigestObserver,
  type Verdict,
  type Verifier,
} from './verification/verifier.js';
export { VERIFICATION_QUERIES } from './verification/verification-queries.js';
