import type { Registry } from 'prom-client';

import { Problem } from '../../http/errors/problem.js';
import { findResource } from '../../http/resource-uri.js';
import { KINDS } from '../kinds.js';
import { keyIdOf, type Principal } from '../principal.js';
import type { Proof } from '../proofs/proof-reader.js';
import type { ActivityRecorder } from '../store/activity.js';
import type { Presented } from '../verification/presentation.js';
import type { Verdict, Verifier } from '../verification/verifier.js';
import { denialReason, type Access } from './admission.js';
import { reasonAgainstPair, withPublishableKey } from './key-beside-token.js';
import type { ProofRefusal, Reason } from './refusals.js';
import { createVerdictCounter } from './verdict-counter.js';

/** The proof that comes with a credential that is bound to a key (RFC 9449 §7). */
export interface ProofOf {
  /** Reads the proof. @returns the reason to refuse, or the proof to claim; `undefined` if it was claimed before */
  read(principal: Principal): Promise<ProofRefusal | Proof | undefined>;
  /** Marks the proof as used. @returns the reason to refuse if it was used before */
  claim(proof: Proof): Promise<ProofRefusal | undefined>;
}

/** The service for which a credential is judged. */
export interface Target {
  /** Tokens for another audience are refused (RFC 8707 §2.2). */
  readonly audiences: readonly string[];
  /**
   * A principal as the service may see it.
   * @returns `undefined` for a credential that must look unknown
   */
  see(principal: Principal): Principal | undefined;
}

/** A request with a credential. */
export interface Question {
  readonly presented: Presented;
  readonly method: string;
  /** The address that presented it; if `undefined`, allow-lists are not checked. */
  readonly address: string | undefined;
  /** The address to record with its use. */
  readonly notedAddress: string;
  readonly access: Exclude<Access, 'public'> | undefined;
  /** The path parameters. */
  readonly parameters: Readonly<Record<string, string>> | undefined;
  /** Asked for a bound credential only. */
  readonly proof: () => ProofOf;
  /** This server itself, by default. */
  readonly target?: Target | Promise<Target>;
}

/** The answer: the principal, if the credential is known to the target, and the reason to refuse it. */
export type Judgement =
  | { readonly principal: Principal; readonly reason: undefined }
  | { readonly principal: Principal | undefined; readonly reason: Reason };

/**
 * Judges a credential at a route. The order follows RFC 6750 §3.1: the credential (401), the kind of principal (403), the
 * scopes (403). Uses and refusals are recorded in the background.
 *
 * @throws Problem `service_unavailable` if the database cannot be queried, `bad_request` for two credentials at once
 */
export type Judge = (question: Question) => Promise<Judgement>;

/**
 * Judges several credentials at once for the same service, as `Judge` would. Those of a pair, and those that are bound to
 * a key, are promised, and their promise may be rejected; all others are judged in one turn (perf: decision 23).
 *
 * @throws Problem `service_unavailable` if the database cannot be queried
 */
export type JudgeAll = (
  target: Target,
  questions: readonly Omit<Question, 'target'>[],
) => Promise<readonly (Judgement | Promise<Judgement>)[]>;

interface Dependencies {
  readonly verifier: Pick<Verifier, 'verify'>;
  readonly activity: Pick<ActivityRecorder, 'noteUse' | 'noteGrantUse' | 'noteRefusal'>;
  readonly register: Registry;
  /** The resources served here. */
  readonly audiences: readonly string[];
}

interface Judged {
  readonly verdict: Verdict;
  readonly reason: Reason | undefined;
}

/** Concludes what a verified credential may do at the route. */
type Conclude = (question: Question, judged: Judged) => Judgement | Promise<Judgement>;

/** Makes the last step of every judgement. Uses and refusals are recorded, verdicts are counted. */
export function createConclusion({
  activity,
  register,
}: Pick<Dependencies, 'activity' | 'register'>): Conclude {
  const countVerdict = createVerdictCounter(register);

  function record({ notedAddress }: Question, principal: Principal, reason: Reason | undefined) {
    countVerdict(reason ?? 'accepted');
    if (reason !== undefined) {
      if (!isOrdinaryEnd(principal, reason)) activity.noteRefusal(principal, reason, notedAddress);
      return { principal, reason };
    }
    if (principal.token === undefined) activity.noteUse(keyIdOf(principal), notedAddress);
    else activity.noteGrantUse(principal.token.grantId, notedAddress);
    return { principal, reason };
  }

  return (question, { verdict: { principal }, reason }) => {
    if (principal === undefined) {
      countVerdict(reason ?? 'accepted');
      return { principal, reason: reason ?? 'unknown' };
    }
    if (reason !== undefined) return record(question, principal, reason);
    if (principal.proofKey !== null) {
      return reasonWithProof(question, principal).then((found) =>
        record(question, principal, found),
      );
    }
    const { access, parameters } = question;
    return record(question, principal, denialReason(principal, access, parameters));
  };
}

/** @param conclude shared with other judges of the same counters */
export function createJudge(
  { verifier, activity, register, audiences }: Dependencies,
  conclude = createConclusion({ activity, register }),
): Judge {
  const itself: Target = { audiences, see: (principal) => principal };

  function judgeOne(question: Question, presented = question.presented): Promise<Judged> {
    const { address, method, target } = question;
    const looked = verifier.verify(presented.raw, address);
    // perf: a target is awaited only if there is one. Both may be found by the same batch.
    return target === undefined
      ? looked.then((verdict) => judgedFor(itself, verdict, presented, method))
      : Promise.all([looked, target]).then(([verdict, found]) =>
          judgedFor(found, verdict, presented, method),
        );
  }

  /** Verifies a publishable key and a token by one query. The answer describes the first that is refused. */
  async function judgePair(question: Question, publishableKey: string): Promise<Judged> {
    const [ofKey, ofUser] = await Promise.all([
      judgeOne(question, { raw: publishableKey, by: 'x-api-key' }),
      judgeOne(question),
    ]);
    const refused = [ofKey, ofUser].find((judged) => judged.reason !== undefined);
    if (refused !== undefined) return refused;
    const [key, user] = [ofKey.verdict.principal, ofUser.verdict.principal];
    if (key === undefined || user?.principalKind !== 'user') {
      throw new Problem('bad_request', 'Present one credential, in one way.');
    }
    activity.noteUse(key.credentialId, question.notedAddress);
    const principal = withPublishableKey(user, key);
    return { verdict: { outcome: 'accepted', principal }, reason: reasonAgainstPair(user, key) };
  }

  return (question) => {
    const { publishableKey } = question.presented;
    const judged =
      publishableKey === undefined ? judgeOne(question) : judgePair(question, publishableKey);
    return judged.then((found) => conclude(question, found));
  };
}

export function createJudgeAll({
  verifier,
  judge,
  conclude,
}: {
  readonly verifier: Pick<Verifier, 'verifyAll'>;
  /** Judges pairs. */
  readonly judge: Judge;
  readonly conclude: Conclude;
}): JudgeAll {
  return async (target, questions) => {
    const isPair = ({ presented }: Pick<Question, 'presented'>) =>
      presented.publishableKey !== undefined;
    const pairs = new Map(
      questions.filter(isPair).map((question) => [question, judge({ ...question, target })]),
    );
    // Rejected while the others are looked up, they are still awaited by the caller.
    for (const pair of pairs.values()) pair.catch(() => undefined);
    const alone = pairs.size === 0 ? questions : questions.filter((question) => !isPair(question));
    const verdicts = await verifier.verifyAll(alone);
    let next = 0;
    return questions.map((question) => {
      const pair = pairs.get(question);
      if (pair !== undefined) return pair;
      const { presented, method } = question;
      const verdict = verdicts[next++] ?? UNKNOWN;
      return conclude(question, judgedFor(target, verdict, presented, method));
    });
  };
}

const UNKNOWN: Verdict = { outcome: 'refused', reason: 'unknown' };

function judgedFor(target: Target, verdict: Verdict, presented: Presented, method: string): Judged {
  const seen = seenBy(target, verdict);
  const reason = reasonAgainst(seen, presented, method) ?? reasonOfAudience(seen, target.audiences);
  return { verdict: seen, reason };
}

/** The reason why a valid credential that is bound to a key is not admitted. A proof is marked as used only if nothing else is wrong. */
async function reasonWithProof(
  { access, parameters, proof: proofOf }: Question,
  principal: Principal,
): Promise<Reason | undefined> {
  const presentedProof = proofOf();
  const proof = await presentedProof.read(principal);
  if (typeof proof === 'string') return proof;
  const denial = denialReason(principal, access, parameters);
  return denial ?? (proof && (await presentedProof.claim(proof)));
}

/** The verdict as the target may see it. */
function seenBy(target: Target, verdict: Verdict): Verdict {
  if (verdict.principal === undefined) return verdict;
  const principal = target.see(verdict.principal);
  if (principal === verdict.principal) return verdict;
  return principal === undefined ? UNKNOWN : { ...verdict, principal };
}

/**
 * The reason to refuse a credential as it was presented. A secret in a URL is `exposed`, even if it is also
 * invalid.
 */
function reasonAgainst(verdict: Verdict, { by }: Presented, method: string): Reason | undefined {
  const { principal } = verdict;
  if (principal !== undefined) {
    const allowed: readonly string[] = KINDS[principal.kind].presentations;
    const isAllowed = by === 'dpop' ? principal.proofKey !== null : allowed.includes(by);
    if (!isAllowed) return by === 'query' ? 'exposed' : 'presentation_not_allowed';
    if (by === 'query' && method !== 'GET' && method !== 'HEAD') return 'presentation_not_allowed';
  }
  return verdict.outcome === 'refused' ? verdict.reason : undefined;
}

function reasonOfAudience(
  { principal }: Verdict,
  audiences: readonly string[],
): Reason | undefined {
  const audience = (principal?.token ?? principal?.exchanged)?.audience;
  if (audience === undefined || audiences.includes(audience)) return undefined;
  return findResource(audiences, audience) === undefined ? 'audience_not_served' : undefined;
}

/** Whether a refusal is an access token's expiry, which is too common for the audit log. */
function isOrdinaryEnd(principal: Principal, reason: Reason): boolean {
  return reason === 'expired' && (principal.token ?? principal.exchanged) !== undefined;
}
