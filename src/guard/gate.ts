import { readAccess, type Access } from './access.js';
import {
  createChallenge,
  FAILED,
  INVALID,
  limitHeaders,
  refusalOf,
  SEVERAL,
  UNAVAILABLE,
  type ChallengeScheme,
  type Reason,
  type Refusal,
} from './answers.js';
import { explainAbsence, explainEmpty } from './explanations.js';
import type { Settings } from './options.js';
import { createFinder, type Presented } from './presented.js';
import { questionOf, type Sent } from './question.js';
import { createRequestId } from './request-id.js';
import {
  UnavailableError,
  type ActiveVerdict,
  type Question,
  type RefusedVerdict,
} from './types.js';
import type { VerdictSource } from './verdict-source.js';

/** An admitted request. */
export interface Admission {
  readonly isAdmitted: true;
  readonly requestId: string;
  readonly verdict: ActiveVerdict;
  /** The space that the request names. */
  readonly space: string | undefined;
  /** To be set on the answer. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The check of one route. */
export interface Gate<Request> {
  /** @param former the admission of the same request, to judge it again without counting it again */
  (request: Request, sent: Sent, former?: Admission): Promise<Admission | Refusal>;
}

/** Makes the check of a route. It answers like Gatehouse's own API, and never throws. */
export function createGate<Request>(
  settings: Settings,
  judge: VerdictSource['judge'],
  access: Access<Request>,
): Gate<Request> {
  const rule = readAccess(access);
  const { issuer, brand, resourceMetadataUrl, onError } = settings;
  const find = createFinder(brand);
  const challenge = createChallenge(resourceMetadataUrl, rule.scopes);
  const invalid = { ...INVALID, headers: challenge('invalid_token') };

  async function decide(
    request: Request,
    sent: Sent,
    requestId: string,
    former: Admission | undefined,
  ): Promise<Admission | Reason> {
    const [, querystring = ''] = sent.target.split(/\?(.*)/s);
    const found = find(sent.lines, querystring);
    const { presented } = found;
    if (presented === 'several') return SEVERAL;
    if (presented === undefined) {
      return { ...INVALID, detail: explainAbsence(found.authorization), headers: challenge() };
    }
    if (presented.raw === '') return { ...invalid, detail: explainEmpty(presented.by, brand) };
    const asked = questionOf({ ...found, presented }, { request, sent, rule, settings });
    const question: Question =
      former === undefined ? asked : { ...asked, ...ofSecondQuestion(asked) };
    const { verdict, limits } = await judge(question);
    if (!verdict.active) {
      const scheme = schemeOf(presented, verdict);
      return reasonOf(verdict, rule.scopes, (error) => challenge(error, scheme));
    }
    // The address is unknown, so the allow-list was not judged.
    if (verdict.allowedIps != null) return invalid;
    return {
      isAdmitted: true,
      requestId,
      verdict,
      space: question.space,
      headers: {
        'X-Request-Id': requestId,
        ...limitHeaders(limits),
        ...nonceHeader(verdict),
      },
    };
  }

  return async (request, sent, former) => {
    const requestId = former?.requestId ?? createRequestId();
    try {
      const decision = await decide(request, sent, requestId, former);
      return 'isAdmitted' in decision ? decision : refusalOf(issuer, requestId, decision);
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
      const reason = error instanceof UnavailableError ? UNAVAILABLE : FAILED;
      return refusalOf(issuer, requestId, reason);
    }
  };
}

/** The same question again: the budgets have counted the request, and its proof is used. */
function ofSecondQuestion({ dpop }: Question): Partial<Question> {
  return { cost: 0, ...(dpop && { dpop: { ...dpop, claimed: true } }) };
}

const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 429]);

/** @param challenge by the error of the challenge */
function reasonOf(
  verdict: RefusedVerdict,
  scopes: readonly string[],
  challenge: (error: string) => Readonly<Record<string, string>>,
): Reason {
  const { status, code, detail, retryAfterSeconds, limits, error } = verdict;
  if (!REFUSED.has(status)) return UNAVAILABLE;
  const usual = status === 401 ? 'invalid_token' : 'insufficient_scope';
  return {
    status,
    code,
    detail,
    headers: {
      ...limitHeaders(limits),
      ...nonceHeader(verdict),
      ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
      ...((status === 401 || status === 403) && challenge(error ?? usual)),
    },
    ...(code === 'scope_insufficient' && { requiredScopes: scopes }),
  };
}

function schemeOf({ by }: Presented, { schemes }: RefusedVerdict): ChallengeScheme {
  if (by === 'dpop') return 'DPoP';
  return schemes?.includes('DPoP') ? 'both' : 'Bearer';
}

function nonceHeader({ dpopNonce }: { readonly dpopNonce?: string }) {
  return dpopNonce === undefined ? {} : { 'DPoP-Nonce': dpopNonce };
}
