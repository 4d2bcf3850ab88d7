import { hash, randomBytes } from 'node:crypto';

import { createBatches, type Asked, type Outgoing } from './batches.js';
import { createChangeFeed } from './change-feed.js';
import { createConnection } from './connection.js';
import { deepFreeze } from './freeze.js';
import { createKeptVerdicts, type Kept } from './kept-verdicts.js';
import { between, now } from './moments.js';
import type { Settings } from './options.js';
import {
  UnavailableError,
  type ActiveVerdict,
  type Limits,
  type Question,
  type Verdict,
} from './types.js';

/** A verdict, with the budgets at this time. */
export interface Judged {
  readonly verdict: Verdict;
  readonly limits: Limits | undefined;
}

/** The source of verdicts: asked each time, or kept. */
export interface VerdictSource {
  /**
   * @throws UnavailableError, QuestionError
   */
  judge(question: Question): Promise<Judged>;
  close(): void;
}

const MAX_COST = 10_000;

export function createVerdictSource(settings: Settings): VerdictSource {
  const { url, credential, timeoutMs, maxStaleMs } = settings;
  const connection = createConnection(url, credential);
  const batches = createBatches(connection, timeoutMs);
  const ask = async (question: Outgoing) => {
    const asked = await batches.ask(question);
    // A kept verdict is shared by requests. No handler may alter it.
    return { ...asked, verdict: deepFreeze(asked.verdict) };
  };
  const end = () => {
    batches.close();
    connection.close();
  };
  if (maxStaleMs === undefined) {
    return { judge: async (question) => judgedFrom(await ask(question)), close: end };
  }
  const kept = createKeptVerdicts(maxStaleMs, settings.maxKept);
  const feed = createChangeFeed(connection, kept, settings.onError);
  const source = createKeepingSource({ ask, kept, maxStaleMs, start: () => feed.start() });
  return {
    judge: source,
    close() {
      feed.close();
      kept.onLost();
      end();
    },
  };
}

interface Keeping {
  readonly ask: (question: Outgoing) => Promise<Asked>;
  readonly kept: ReturnType<typeof createKeptVerdicts>;
  readonly maxStaleMs: number;
  /** Begins to follow the changes. */
  readonly start: () => void;
}

function createKeepingSource({ ask, kept, maxStaleMs, start }: Keeping): VerdictSource['judge'] {
  const digestOf = createDigest();

  async function askFresh(question: Outgoing): Promise<Asked> {
    const asked = await ask(question);
    // Timers may be late. An answer must not be older than a kept verdict may be.
    if (between(asked.sentAt, now()) > maxStaleMs) {
      throw new UnavailableError('Gatehouse did not answer in time');
    }
    return asked;
  }

  /** Asks, reports the uses of the verdict that is kept, and keeps the new one. */
  async function askAndKeep(digest: string, question: Question, former: Kept | undefined) {
    const cost = question.cost ?? 1;
    const uses = cost === 0 ? undefined : former?.uses.take(MAX_COST - cost, performance.now());
    const ticket = kept.begin();
    let asked: Asked;
    try {
      asked = await askFresh({
        ...question,
        ...(uses && { cost: cost + uses.units, requests: 1 + uses.requests }),
      });
    } catch (error) {
      kept.cancel(ticket);
      if (uses !== undefined) former?.uses.giveBack(uses);
      throw error;
    }
    const { verdict } = asked;
    if (verdict.active) kept.keep(digest, ticket, { ...asked, verdict });
    else kept.drop(digest, ticket);
    return judgedFrom(asked);
  }

  return async (question) => {
    start();
    if (!canBeKept(question)) return judgedFrom(await askFresh(question));
    const current = now();
    const digest = digestOf(question);
    const found = kept.find(digest, current);
    if (found !== undefined && admits(found.verdict, question)) {
      if (found.uses.count(question.cost ?? 1, current.monotonic)) {
        return { verdict: found.verdict, limits: found.uses.limits(current.monotonic) };
      }
    }
    return askAndKeep(digest, question, found);
  };
}

function judgedFrom({ verdict }: { readonly verdict: Verdict }): Judged {
  return { verdict, limits: verdict.limits };
}

/**
 * Whether the verdict on a question may be kept. A proof works once. A pair of credentials is rare, and a query is only
 * admitted for reads.
 */
function canBeKept({ presentation, publishableKey, dpop, method }: Question): boolean {
  if (presentation === 'dpop' || dpop !== undefined || publishableKey !== undefined) return false;
  return presentation !== 'query' || method === undefined || method === 'GET' || method === 'HEAD';
}

/** Whether a kept verdict answers a question. All refusals are Gatehouse's, which records them. */
function admits(verdict: ActiveVerdict, { scopes, principals, resource }: Question): boolean {
  if (scopes?.some((scope) => !verdict.scopes.includes(scope))) return false;
  if (principals !== undefined && !principals.includes(verdict.principal.kind)) return false;
  if (resource === undefined || verdict.bindings === null) return true;
  return verdict.bindings.some(({ type, id }) => type === resource.type && id === resource.id);
}

/**
 * Makes the digest of everything that the facts of a verdict depend on: the credential, the way in which it came, the
 * address, and the space that it enters. Scopes, kinds and bindings are compared with the facts themselves.
 */
function createDigest(): (question: Question) => string {
  // Unique for this guard, so that a digest in a memory dump tells nothing about a guessable imported key.
  const salt = randomBytes(32).toString('base64');
  return ({ credential, presentation = 'bearer', address = '', space }) =>
    // Lengths, so that no text of one member can be read as another.
    hash(
      'sha256',
      `${salt} ${presentation} ${address.length} ${address} ${space?.length} ${space} ${credential}`,
    );
}
