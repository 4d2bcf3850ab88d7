import type { InteractionResults } from 'oidc-provider';
import type { EntityManager } from 'typeorm';

import { createKeyring, type Keyring } from '../credentials/keyring.js';
import { inBatches } from '../db/batches.js';
import { expiresAroundNow } from '../db/partitions.js';
import type { RunPrepared } from '../db/prepared.js';
import type { BrowserRequest, BrowserSecrets } from '../http/browser-secret.js';
import { LIFETIMES } from './lifetimes.js';
import type { Parameters } from './parameters.js';
import type { HasPassword } from './sign-in-page.js';

/** What came of the pages on which a user signs in and agrees. */
export type InteractionResult = InteractionResults & {
  readonly login?: { readonly accountId: string; readonly passwordMark: string };
};

/** An authorization request that waits for its user, as the library keeps it. */
export interface InteractionPayload {
  readonly params: Parameters;
  readonly prompt: { readonly name: string };
  /** The session that the request was made in; absent if nobody was signed in. */
  readonly session?: { readonly uid: string; readonly accountId: string };
  readonly result?: InteractionResult;
  /** What earlier pages of the same request came to. */
  readonly lastSubmission?: InteractionResult;
}

/** Where the browser was sent when the request was resumed, and the secret of the session that it had from then on. */
export interface InteractionAnswer {
  readonly location: string;
  readonly accountId: string | undefined;
  readonly session: string;
}

/** A stored interaction: open, or answered. `answer` is absent once it is too old to be given again. */
export type StoredInteraction =
  | {
      readonly isAnswered: false;
      readonly payload: InteractionPayload;
      readonly remainingSeconds: number;
    }
  | { readonly isAnswered: true; readonly answer: InteractionAnswer | undefined };

/** A stored interaction, and whether the browser that asks is the one that began it. */
export interface FoundInteraction {
  readonly isOfThisBrowser: boolean;
  readonly interaction: StoredInteraction;
}

/**
 * Interactions by their `uid`, which is a path and no proof: each is bound to the browser that began it, by a keyed
 * digest of that browser's secret. Rows are found by the digest of the `uid`.
 */
export interface InteractionStore {
  /** Stores a new one, bound to the browser of the request that is being answered. */
  insert(ctx: BrowserRequest, uid: string, payload: object, seconds: number): Promise<void>;
  /** @returns `undefined` if there is none, or it has expired */
  find(ctx: BrowserRequest, uid: string): Promise<FoundInteraction | undefined>;
  /** As `find`. Everybody else who locks it waits until the transaction ends. */
  lock(ctx: BrowserRequest, uid: string): Promise<FoundInteraction | undefined>;
  /** Stores what the pages came to. @param forgetsSession whether the session it was begun in has ended */
  settle(uid: string, result: InteractionResult, forgetsSession: boolean): Promise<void>;
  /** Replaces it by its answer, which can be given again while a code lives. */
  answer(uid: string, answer: InteractionAnswer): Promise<void>;
}

const INSERT = {
  name: 'interaction-insert',
  text: `
    INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, expires_at)
    VALUES ($1, $2, 'Interaction', $3::jsonb, gatehouse_now() + make_interval(secs => $4))`,
};
const SELECT = `
  SELECT payload, extract(epoch FROM expires_at - gatehouse_now())::float8 AS remaining,
    extract(epoch FROM gatehouse_now())::float8 AS now
  FROM oauth_artifacts a
  WHERE digest = ANY ($1::text[]) AND ${expiresAroundNow('oauth_artifacts', 'a')} AND kind = 'Interaction' AND expires_at > gatehouse_now()`;
const FIND = { name: 'interaction-find', text: SELECT };
const LOCK = { name: 'interaction-lock', text: `${SELECT} FOR UPDATE` };
const SETTLE = {
  name: 'interaction-settle',
  text: `
    UPDATE oauth_artifacts a
    SET payload = (CASE WHEN $3 THEN payload - 'session' ELSE payload END)
      || jsonb_build_object('result', $2::jsonb)
    WHERE digest = ANY ($1::text[]) AND ${expiresAroundNow('oauth_artifacts', 'a')} AND kind = 'Interaction'`,
};
const ANSWER = {
  name: 'interaction-answer',
  text: `
    UPDATE oauth_artifacts a
    SET payload = jsonb_build_object('browser', payload -> 'browser', 'answer', $2::jsonb
      || jsonb_build_object('until', extract(epoch FROM gatehouse_now())::float8 + $3::float8))
    WHERE digest = ANY ($1::text[]) AND ${expiresAroundNow('oauth_artifacts', 'a')} AND kind = 'Interaction'`,
};

const ANSWER_SEAL = 'interaction answer';

interface Row {
  readonly payload: {
    readonly browser?: string;
    readonly answer?: {
      readonly sealed: string;
      readonly keyId: string;
      readonly until: number;
    };
  } & InteractionPayload;
  readonly remaining: number;
  readonly now: number;
}

interface Dependencies {
  readonly run: RunPrepared;
  readonly keyring: Keyring;
  readonly browsers: BrowserSecrets;
  readonly hasPassword: HasPassword;
}

export function createInteractionStore(dependencies: Dependencies): InteractionStore {
  const { run, keyring, browsers, hasPassword } = dependencies;

  async function read(
    statement: typeof FIND,
    ctx: BrowserRequest,
    uid: string,
  ): Promise<FoundInteraction | undefined> {
    const [row] = await run<Row>(statement, [keyring.digests(uid)]);
    if (row === undefined) return undefined;
    const { browser, answer, ...payload } = row.payload;
    const isOfThisBrowser = browsers
      .received(ctx)
      .some((secret) => keyring.isSigned(bindingOf(uid, secret), browser ?? ''));
    if (answer !== undefined) {
      return { isOfThisBrowser, interaction: { isAnswered: true, answer: open(uid, answer, row) } };
    }
    const { result, ...others } = payload;
    const isGood = result !== undefined && (await isStillGood(result));
    const kept = { ...others, ...(isGood && { result }) };
    const interaction = { isAnswered: false, payload: kept, remainingSeconds: row.remaining };
    return { isOfThisBrowser, interaction } as FoundInteraction;
  }

  // Somebody who has signed in may come back much later, when the password is another.
  const isStillGood = async ({ login }: InteractionResult) =>
    login === undefined || hasPassword(login.accountId, login.passwordMark);

  function open(
    uid: string,
    { sealed, keyId, until }: NonNullable<Row['payload']['answer']>,
    { now }: Row,
  ): InteractionAnswer | undefined {
    // A secret key that was removed since takes its answers along: they are seconds old.
    if (now >= until || !keyring.ids.includes(keyId)) return undefined;
    const inner = keyring.open({ ciphertext: Buffer.from(sealed, 'base64'), keyId }, ANSWER_SEAL);
    const byUid = keyringOf(uid);
    const opened = byUid.open({ ciphertext: inner, keyId: byUid.currentId }, ANSWER_SEAL);
    return JSON.parse(opened.toString()) as InteractionAnswer;
  }

  return {
    async insert(ctx, uid, payload, seconds) {
      const { digest, keyId } = keyring.digest(uid);
      const browser = keyring.sign(bindingOf(uid, browsers.current(ctx)));
      await run(INSERT, [digest, keyId, JSON.stringify({ ...payload, browser }), seconds]);
    },
    find: (ctx, uid) => read(FIND, ctx, uid),
    lock: (ctx, uid) => read(LOCK, ctx, uid),
    async settle(uid, result, forgetsSession) {
      await run(SETTLE, [keyring.digests(uid), JSON.stringify(result), forgetsSession]);
    },
    async answer(uid, answer) {
      const inner = keyringOf(uid).seal(Buffer.from(JSON.stringify(answer)), ANSWER_SEAL);
      const { ciphertext, keyId } = keyring.seal(inner.ciphertext, ANSWER_SEAL);
      const kept = { sealed: ciphertext.toString('base64'), keyId };
      await run(ANSWER, [keyring.digests(uid), JSON.stringify(kept), LIFETIMES.authorizationCode]);
    },
  };
}

/**
 * Answers hold a code and the secret of a session. They are sealed under the `uid` as well, which is not stored: the
 * database and `SECRET_KEYS` together do not open them.
 */
function keyringOf(uid: string): Keyring {
  return createKeyring([`interaction answer ${uid}`]);
}

function bindingOf(uid: string, secret: string): string {
  return JSON.stringify(['interaction', uid, secret]);
}

/** Deletes the authorizations that waited for their user in vain: anybody can begin one. */
export function deleteExpiredInteractions(
  manager: EntityManager,
  signal?: AbortSignal,
): Promise<number> {
  return inBatches(async (limit) => {
    const [row] = await manager.query<[{ count: number }]>(
      `WITH expired AS (
         DELETE FROM oauth_artifacts WHERE (digest, expires_at) IN (
           SELECT digest, expires_at FROM oauth_artifacts
           WHERE kind = 'Interaction' AND expires_at <= gatehouse_now()
           ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING 1)
       SELECT count(*)::int AS count FROM expired`,
      [limit],
    );
    return row.count;
  }, signal);
}
