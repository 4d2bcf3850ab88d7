import {
  type ActivityRecorder,
  type Annotated,
  type ChallengeError,
  isHidden,
  type JudgeAll,
  type Judgement,
  type Presentations,
  type Presented,
  type Principal,
  type ProofOf,
  type Proofs,
  readProof,
  type Reason,
  refusalOf,
  schemeOf,
  type Target,
} from '../credentials/index.js';
import { Problem } from '../http/errors/problem.js';
import type { RateLimits, Share } from '../rate-limits/index.js';
import type { SpaceContextResolver } from '../spaces/index.js';
import { verdictText } from './verdict-text.js';
import type { VerifyQuestion } from './verify-schema.js';

export interface VerdictDependencies {
  readonly judgeAll: JudgeAll;
  readonly presentations: Pick<Presentations, 'explain' | 'join'>;
  readonly proofs: Proofs;
  readonly activity: Pick<ActivityRecorder, 'noteAnswer'>;
  readonly rateLimits: Pick<RateLimits, 'budgets' | 'spend' | 'now'>;
  readonly spaceContext: Pick<SpaceContextResolver, 'enter'>;
  /** Finds the external id and the metadata of an account. */
  readonly annotationsOf: (accountId: string) => Promise<Annotated>;
}

/** The request of the service that asks. */
export interface Caller {
  readonly target: Target;
  /** Recorded for credentials whose address the service does not report. */
  readonly address: string;
}

/**
 * Judges credentials as the guard of the API would: the same judgement, the same budgets, the same spaces.
 *
 * @returns the verdicts as they are answered, each as JSON, in the order of the questions
 * @throws Problem `service_unavailable`
 */
export type VerdictsOn = (
  questions: readonly VerifyQuestion[],
  caller: Caller,
) => Promise<readonly string[]>;

/** A question with its credential, or the reason why this cannot be read. */
interface Asked {
  readonly question: VerifyQuestion;
  readonly presented: Presented;
  readonly notedAddress: string;
}

export function createVerdicts(dependencies: VerdictDependencies): VerdictsOn {
  const { judgeAll, presentations, proofs } = dependencies;
  const conclude = createConclusion(dependencies);

  /** perf: a verdict is promised only if more has to be looked up (decision 23). */
  function textOf(asked: Asked, judgement: Judgement | Promise<Judgement>) {
    return judgement instanceof Promise
      ? judgement.then((found) => conclude(asked, found)).catch(refusalOfOne)
      : conclude(asked, judgement);
  }

  return async (questions, { target, address }) => {
    const read = questions.map((question) => askedBy(question, address, presentations));
    const asked = read.filter((one): one is Asked => !(one instanceof Problem));
    const judgements = await judgeAll(
      target,
      asked.map((one) => requestOf(one, proofs)),
    );
    const texts = asked.map((one, index) => textOf(one, judgements[index] ?? UNKNOWN));
    const settled = await settledTexts(texts);
    let next = 0;
    return read.map((one) =>
      one instanceof Problem ? refusalOfOne(one) : (settled[next++] ?? ''),
    );
  };
}

/** perf: without a promise for each text. */
async function settledTexts(
  texts: readonly (string | Promise<string>)[],
): Promise<readonly string[]> {
  const promised = texts.filter((text) => typeof text !== 'string');
  if (promised.length === 0) return texts as readonly string[];
  const found = (await Promise.all(promised)).values();
  return texts.map((text) => (typeof text === 'string' ? text : (found.next().value ?? '')));
}

type Accepted = Extract<Judgement, { readonly reason: undefined }>;

/** Makes the last step of a verdict: budgets, spaces, and the text of the answer. */
function createConclusion(dependencies: Omit<VerdictDependencies, 'judgeAll'>) {
  const { presentations, proofs, activity, rateLimits, spaceContext, annotationsOf } = dependencies;
  const { budgets, spend, now } = rateLimits;
  const nonceFor = ({ by }: Presented) => (by === 'dpop' ? proofs.nonce() : undefined);

  function refusedText(asked: Asked, judgement: Judgement & { readonly reason: Reason }): string {
    const { question, presented } = asked;
    const refusal = refuse(question.scopes, { presented, judgement, presentations });
    if (judgement.principal) activity.noteAnswer(judgement.principal, refusal.status);
    return JSON.stringify({ ...refusal, dpopNonce: nonceFor(presented) });
  }

  function writeAccepted(
    { question, presented }: Asked,
    { principal }: Accepted,
    { shares, time }: { readonly shares: readonly Share[]; readonly time: number },
    denial: Problem | undefined,
    account: Annotated | undefined,
  ): string {
    const limits = budgets.usageIn(principal, shares, time);
    const dpopNonce = nonceFor(presented);
    if (denial !== undefined) {
      return JSON.stringify({ ...presentRefusal(denial), limits, dpopNonce });
    }
    const hasAddress = question.address !== undefined;
    return verdictText(principal, { account, limits, hasAddress, dpopNonce });
  }

  /** Looks up the space that the question names, and the account of a user. */
  async function writeLater(
    asked: Asked,
    accepted: Accepted,
    shares: readonly Share[],
  ): Promise<string> {
    const { principal } = accepted;
    const denial = await denialOfSpace(spaceContext, principal, asked.question.space);
    activity.noteAnswer(principal, denial?.status ?? 200);
    const needsAccount = principal.principalKind === 'user' && denial === undefined;
    const account = needsAccount ? await annotationsOf(principal.principalId) : undefined;
    return writeAccepted(asked, accepted, { shares, time: now() }, denial, account);
  }

  return (asked: Asked, judgement: Judgement): string | Promise<string> => {
    if (judgement.reason !== undefined) return refusedText(asked, judgement);
    const { principal } = judgement;
    const { cost, requests, space } = asked.question;
    const time = now();
    const shares = budgets.sharesOf(principal, () => asked.notedAddress, time);
    const spent = cost > 0 ? spend(shares, cost, time, requests) : undefined;
    const needsMore = space !== undefined || principal.principalKind === 'user';
    if (spent === undefined && needsMore) return writeLater(asked, judgement, shares);
    activity.noteAnswer(principal, spent?.problem.status ?? 200);
    return writeAccepted(asked, judgement, { shares, time }, spent?.problem, undefined);
  };
}

/** @returns the Problem `bad_request` for two credentials that are not a pair: it concerns this question only */
function askedBy(
  question: VerifyQuestion,
  callerAddress: string,
  presentations: Pick<Presentations, 'join'>,
): Asked | Problem {
  const notedAddress = question.address ?? callerAddress;
  try {
    return { question, presented: presentedIn(question, presentations), notedAddress };
  } catch (error) {
    if (error instanceof Problem && error.status === 400) return error;
    throw error;
  }
}

/** The refusal of one question that is faulty. @throws every other error */
function refusalOfOne(error: unknown): string {
  if (error instanceof Problem && error.status === 400) {
    return JSON.stringify(presentRefusal(error));
  }
  throw error;
}

function requestOf({ question, presented, notedAddress }: Asked, proofs: Proofs) {
  const { method, address, scopes, principals, resource } = question;
  return {
    presented,
    notedAddress,
    method,
    address,
    access:
      resource === undefined
        ? { scopes, principals }
        : { scopes, principals, resource: resource.type },
    parameters: resource && { id: resource.id },
    proof: () => proofIn(question, presented, proofs),
  };
}

/** The judgement for a question that got none. */
const UNKNOWN: Judgement = { principal: undefined, reason: 'unknown' };

/** The refusal of a credential, with the parts of its challenge that do not follow from the status. */
function refuse(
  scopes: VerifyQuestion['scopes'],
  {
    presented,
    judgement,
    presentations,
  }: {
    readonly presented: Presented;
    readonly judgement: Judgement & { readonly reason: Reason };
    readonly presentations: Pick<Presentations, 'explain'>;
  },
) {
  const { principal, reason } = judgement;
  const scheme = schemeOf(presented, principal);
  const errors: ChallengeError[] = [];
  const refusal = refusalOf(reason, {
    scopes,
    principal,
    challenge: (error) => {
      if (error !== undefined) errors.push(error);
      return {};
    },
    scheme,
    headers: {},
    isHidden: isHidden(presented, judgement),
    explainForm: () => presentations.explain({ headers: {} }, presented),
  });
  const error = errors.find((one) => one.includes('dpop'));
  return {
    ...presentRefusal(refusal),
    ...(error !== undefined && { error }),
    ...(scheme === 'both' && { schemes: ['Bearer', 'DPoP'] }),
  };
}

/** @throws Problem `bad_request` for two credentials that are not a pair */
function presentedIn(
  { credential, presentation, publishableKey }: VerifyQuestion,
  presentations: Pick<Presentations, 'join'>,
): Presented {
  const presented = { raw: credential, by: presentation };
  return publishableKey === undefined ? presented : presentations.join(presented, publishableKey);
}

/** The proof that a question carries, for the URL that the service received it at. */
function proofIn({ dpop, method }: VerifyQuestion, presented: Presented, proofs: Proofs): ProofOf {
  const request = { headersDistinct: dpop === undefined ? {} : { dpop: [dpop.proof] } };
  const proven = { method, url: dpop?.url ?? '', credential: presented.raw };
  return {
    read: (principal) => readProof(proofs, request, proven, principal, presented),
    claim: async (proof) =>
      dpop?.claimed === true || (await proofs.claim(proof)) ? undefined : 'proof_used',
  };
}

/**
 * The reason why a credential may not enter a space. An unknown space is answered like one that it may not enter.
 *
 * @returns `undefined` if it may, or none is named
 * @throws Problem `service_unavailable`
 */
export async function denialOfSpace(
  spaceContext: Pick<SpaceContextResolver, 'enter'>,
  principal: Principal,
  space: string | undefined,
): Promise<Problem | undefined> {
  if (space === undefined) return undefined;
  try {
    await spaceContext.enter(principal, space);
    return undefined;
  } catch (error) {
    if (!(error instanceof Problem) || error.status >= 500) throw error;
    return new Problem('forbidden', 'The credential may not enter this space.');
  }
}

function presentRefusal({ status, code, message, headers }: Problem) {
  const retryAfter = headers['Retry-After'];
  return {
    active: false,
    status,
    code,
    detail: message,
    ...(retryAfter !== undefined && { retryAfterSeconds: Number(retryAfter) }),
  };
}
