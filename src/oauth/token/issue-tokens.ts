import { setTimeout as pause } from 'node:timers/promises';

import { type Keyring, proofSubjects, type Sealed } from '../../credentials/index.js';
import type { RunPrepared } from '../../db/prepared.js';

/** Counts the requests of this process that redeem the same code or refresh token at the same time. */
export interface InFlightRedemptions {
  /** Registers a request until `end` is called. @param token the code or refresh token as presented */
  begin(token: string): Attempt;
}

export interface Attempt {
  /** Whether another request for the same token was registered since this one began. */
  isContested(): boolean;
  end(): void;
}

export function createInFlightRedemptions(): InFlightRedemptions {
  const redemptions = new Map<string, { active: number; total: number }>();
  return {
    begin(token) {
      const redemption = redemptions.get(token) ?? { active: 0, total: 0 };
      redemption.active += 1;
      redemption.total += 1;
      redemptions.set(token, redemption);
      return {
        isContested: () => redemption.total > 1,
        end() {
          redemption.active -= 1;
          if (redemption.active === 0) redemptions.delete(token);
        },
      };
    },
  };
}

/**
 * Delay between commit and response where the losers of a race get nothing: codes, and refresh tokens without a grace
 * window. Concurrent requests are often read milliseconds apart, or by another replica. During the delay the client
 * cannot know that the token is consumed, so a second request is concurrent and not reuse (decision 10).
 *
 * `contested` applies if another request for the same token was seen. `busy` applies while `MAX_SINGLE` responses are
 * delayed already, so that the delay does not limit throughput.
 */
const RESPONSE_DELAY_MS = { single: 50, contested: 200, busy: 3 } as const;
const MAX_SINGLE = 8;
/** Timers can fire a millisecond early. */
const TIMER_SLACK_MS = 2;

/** The tokens that replace a code or refresh token. */
export interface Redemption {
  readonly source: 'code' | 'device' | 'refresh';
  readonly row: {
    readonly digest: string | null;
    readonly expires_at: string;
    readonly grant_id: string;
  };
  readonly access: {
    readonly id: string;
    readonly secret: string;
    readonly scopes: readonly string[];
    readonly audience: string;
    readonly seconds: number;
    /** The thumbprint of the key that it is bound to (RFC 9449). */
    readonly proofKey: string | undefined;
  };
  readonly refresh:
    | {
        readonly id: string;
        readonly secret: string;
        readonly payload: object;
        readonly seconds: number;
      }
    | undefined;
  /** Seconds after the commit from which another use counts as reuse: the delay of the response. */
  readonly reuseAfterSeconds: number;
  /** The response, encrypted under the current key and kept for the grace window; `undefined` without one. */
  readonly answer:
    { readonly sealed: Sealed; readonly requestHash: string; readonly seconds: number } | undefined;
}

/** `lost`: a concurrent request won. `dead`: the grant has ended or was deleted. */
type RedemptionOutcome = 'issued' | 'lost' | 'dead';

/**
 * Consumes and issues in one transaction. `migrations/1764166000000-proof-keys.ts` creates the function. Under the
 * grant's lock it checks that the grant is not revoked, sets `consumed_at` of the code or refresh token if it is not set
 * (else `lost`), and inserts the new tokens.
 */
const REDEEM = {
  name: 'exchange-redeem-json',
  text: 'SELECT redeem_and_issue($1::jsonb) AS outcome',
};

/**
 * Consumes a code or refresh token and issues its successors, or does neither.
 *
 * @param attempt `undefined` if the response need not be delayed
 * @returns the outcome, once the response may be sent
 */
export type IssueTokens = (
  redemption: Omit<Redemption, 'reuseAfterSeconds'>,
  attempt: Attempt | undefined,
) => Promise<RedemptionOutcome>;

/** @param onIssued called once tokens are committed, with what was exchanged for them */
export function createIssueTokens(
  run: RunPrepared,
  keyring: Keyring,
  onIssued: (source: Redemption['source']) => void,
): IssueTokens {
  let delayed = 0;

  function chooseDelay(attempt: Attempt): keyof typeof RESPONSE_DELAY_MS {
    if (attempt.isContested()) return 'contested';
    return delayed < MAX_SINGLE ? 'single' : 'busy';
  }

  async function redeem(redemption: Redemption): Promise<RedemptionOutcome> {
    const values = [JSON.stringify(valuesOf(redemption, keyring))];
    const [result] = await run<{ outcome: RedemptionOutcome }>(REDEEM, values);
    const outcome = result?.outcome ?? 'dead';
    if (outcome === 'issued') onIssued(redemption.source);
    return outcome;
  }

  return async (redemption, attempt) => {
    if (attempt === undefined) return redeem({ ...redemption, reuseAfterSeconds: 0 });
    // Chosen before the commit, because the row records until when another use is concurrent.
    const delay = chooseDelay(attempt);
    if (delay === 'single') delayed += 1;
    try {
      const reuseAfterSeconds = RESPONSE_DELAY_MS[delay] / 1000;
      const outcome = await redeem({ ...redemption, reuseAfterSeconds });
      if (outcome === 'issued') await pause(RESPONSE_DELAY_MS[delay] + TIMER_SLACK_MS);
      return outcome;
    } finally {
      if (delay === 'single') delayed -= 1;
    }
  };
}

/** The argument of `redeem_and_issue`. It holds digests of the tokens only. */
function valuesOf(
  { source, row, access, refresh, answer, reuseAfterSeconds }: Redemption,
  keyring: Keyring,
): object {
  const { digest, keyId } = keyring.digest(access.secret);
  return {
    source,
    source_digest: row.digest,
    source_expires_at: row.expires_at,
    grant_id: row.grant_id,
    digest_key: keyId,
    access_id: access.id,
    access_digest: digest,
    access_scopes: access.scopes,
    access_audience: access.audience,
    access_seconds: access.seconds,
    proof_subject: proofSubjects(access.proofKey)[0],
    refresh_id: refresh?.id,
    refresh_digest: refresh && keyring.digest(refresh.secret).digest,
    refresh_payload: refresh?.payload,
    refresh_seconds: refresh?.seconds,
    answer: answer?.sealed.ciphertext.toString('base64'),
    request_hash: answer?.requestHash,
    grace_seconds: answer?.seconds,
    reuse_after_seconds: reuseAfterSeconds,
  };
}
