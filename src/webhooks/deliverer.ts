import type { EntityManager } from 'typeorm';

import { createAuditLog } from '../audit/index.js';
import type { Keyring } from '../credentials/index.js';
import { presentEvent, type StoredEvent } from '../events/index.js';
import type { Outbound } from '../outbound/index.js';
import { type Attempt, type Claim, createClaims, createDueStore, type Due } from './due-store.js';
import { openSecrets, signedHeaders, type SigningSecrets } from './signing.js';
import type { DisabledReason } from './webhook-schema.js';
import { setDisabled } from './webhook-store.js';

/** Subjects of a webhook at a time. A webhook that has failed is tried with one. */
const MAX_PARALLEL = 4;
/** A round ends after this time, so that other webhooks get their turn. */
const ROUND_MS = 20_000;
/** A claim is prolonged before the first attempt after this time. An attempt takes ten seconds at most. */
const PROLONG_AFTER_MS = 5000;

interface Dependencies {
  readonly manager: EntityManager;
  readonly keyring: Keyring;
  readonly outbound: Pick<Outbound, 'post'>;
  readonly signal: AbortSignal;
  readonly onAttempt: (isSuccess: boolean) => void;
}

/** The state of a round. */
interface Round {
  readonly claim: Claim;
  readonly secrets: SigningSecrets;
  /** Subjects at a time. If as many attempts fail and none succeeds, the webhook is paused. */
  readonly parallel: number;
  /** By `performance.now()`. */
  readonly endsAt: number;
  /** The last time at which the claim was certain, by `performance.now()`. */
  prolongedAt: number;
  successes: number;
  failures: number;
  disabled: DisabledReason | undefined;
}

/**
 * Makes the function that delivers what is due to a webhook: at least once, in order for each subject. A failed delivery
 * holds up its subject, and no other. Nothing is done if another process delivers to it.
 */
export function createDeliverer(dependencies: Dependencies): (webhookId: string) => Promise<void> {
  const { manager, keyring, signal } = dependencies;
  const claims = createClaims(manager);
  const store = createDueStore(manager);
  const deliver = createDelivery(dependencies);

  const isOver = (round: Round) =>
    signal.aborted ||
    round.disabled !== undefined ||
    performance.now() >= round.endsAt ||
    (round.successes === 0 && round.failures >= round.parallel);

  /** Prolongs the claim from time to time. @returns false if it was lost */
  async function keepClaim(round: Round): Promise<boolean> {
    const now = performance.now();
    if (now - round.prolongedAt < PROLONG_AFTER_MS) return claims.isHeld(round.claim);
    round.prolongedAt = now;
    return claims.prolong(round.claim);
  }

  async function deliverBatch(round: Round, due: readonly Due[]): Promise<void> {
    const subjects = bySubject(due).values();
    const deliverNext = async () => {
      for (const deliveries of subjects) {
        for (const each of deliveries) {
          if (isOver(round) || !(await keepClaim(round))) return;
          if (!(await deliver(round, each))) break;
        }
      }
    };
    await Promise.all(Array.from({ length: round.parallel }, deliverNext));
  }

  async function endRound({ claim, disabled, successes, failures }: Round): Promise<void> {
    if (disabled !== undefined) {
      // The answers of a former URL do not disable the present one.
      if (await claims.prolong(claim)) await disable(manager, claim, disabled);
    } else if (successes > 0) await claims.noteAnswering(claim);
    else if (failures > 0) await claims.pause(claim);
  }

  return async (webhookId) => {
    const claim = await claims.claim(webhookId);
    if (claim === undefined) return;
    try {
      const round = beginRound(claim, openSecrets(keyring, claim.id, claim));
      while (!isOver(round) && (await keepClaim(round))) {
        const putOff = await store.putOffFollowers(claim);
        const due = await store.due(claim);
        if (due.length === 0 && putOff === 0) break;
        await deliverBatch(round, due);
      }
      await endRound(round);
    } finally {
      await claims.release(claim);
    }
  };
}

/** Makes the function that delivers one event. It returns whether the next one of the subject may follow. */
function createDelivery({ manager, outbound, signal, onAttempt }: Dependencies) {
  const store = createDueStore(manager);

  async function attempt({ claim, secrets }: Round, event: StoredEvent): Promise<Attempt> {
    const shown = presentEvent(event);
    const body = JSON.stringify(shown);
    const headers = signedHeaders(secrets, shown.id, body);
    const startedAt = performance.now();
    const answer = await outbound.post({ url: claim.url, headers, body, signal });
    const durationMs = Math.round(performance.now() - startedAt);
    if (answer.outcome === 'failed') return { status: null, fault: answer.reason, durationMs };
    const { status } = answer;
    return { status, fault: faultOf(status), durationMs };
  }

  return async (round: Round, { seq, event }: Due): Promise<boolean> => {
    const { claim } = round;
    if (event === null) {
      await store.cancelGone(claim, seq);
      return true;
    }
    const made = await attempt(round, event);
    // The process ends: the receiver may have got it. It gets it again.
    if (signal.aborted) return false;
    onAttempt(made.fault === undefined);
    if (made.fault === undefined) {
      round.successes += 1;
      await store.noteSuccess(claim, seq, made);
      return true;
    }
    round.failures += 1;
    const isTriedLong = await store.noteFailure(claim, seq, made);
    if (made.status === GONE) round.disabled = 'gone';
    else if (isTriedLong) round.disabled = 'failing';
    return false;
  };
}

function beginRound(claim: Claim, secrets: SigningSecrets): Round {
  return {
    claim,
    secrets,
    parallel: claim.failures > 0 ? 1 : MAX_PARALLEL,
    endsAt: performance.now() + ROUND_MS,
    prolongedAt: -Infinity,
    successes: 0,
    failures: 0,
    disabled: undefined,
  };
}

async function disable(
  manager: EntityManager,
  { id, tenantId, url }: Claim,
  reason: DisabledReason,
): Promise<void> {
  await manager.transaction(async (transaction) => {
    await setDisabled(transaction, id, reason);
    await createAuditLog(transaction).record(SYSTEM, {
      tenantId,
      action: 'webhook.disable',
      subject: id,
      details: { origin: new URL(url).origin, reason },
    });
  });
}

function bySubject(due: readonly Due[]): Map<string, Due[]> {
  const subjects = new Map<string, Due[]>();
  for (const each of due) {
    const known = subjects.get(each.subject);
    if (known === undefined) subjects.set(each.subject, [each]);
    else known.push(each);
  }
  return subjects;
}

const GONE = 410;
const SYSTEM = { id: 'system', address: null, requestId: null };

/** Redirects are not followed. */
function faultOf(status: number): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  return status >= 300 && status < 400 ? 'redirect' : 'status';
}
