import type { InteractionResults } from 'oidc-provider';
import type { EntityManager } from 'typeorm';

import { createKeyring, type Keyring } from '../../credentials/index.js';
import { inBatches } from '../../db/batches.js';
import { expiresAroundNow } from '../../db/partitions.js';
import type { RunPrepared } from '../../db/prepared.js';
import type { BrowserRequest, BrowserSecrets } from '../../http/pages/browser-secret.js';
import { LIFETIMES } from '../lifetimes.js';
import type { Parameters } from '../parameters.js';
import type { HasPassword } from './sign-in-page.js';

/** The results of the sign-in and consent pages. */
export type InteractionResult = InteractionResults & {
  readonly login?: { readonly accountId: string; readonly passwordMark: string };
};

/** A pending authorization request, as oidc-provider stores it. */
export interface InteractionPayload {
  readonly params: Parameters;
  readonly prompt: { readonly name: string };
  /** The session of the request; absent if nobody was signed in. */
  readonly session?: { readonly uid: string; readonly accountId: string };
  readonly result?: InteractionResult;
  /** The results of earlier pages of the same request. */
  readonly lastSubmission?: InteractionResult;
}

/** The response to a resumed request: its location, and the secret of the browser's session. */
export interface InteractionAnswer {
  readonly location: string;
  readonly accountId: string | undefined;
  readonly session: string;
}

/**
 * A stored interaction, pending or answered. `answer` is absent once it is too old to be repeated. An answered request
 * keeps the members that a link back to the app needs.
 */
export type StoredInteraction =
  | {
      readonly isAnswered: false;
      readonly payload: InteractionPayload;
      readonly remainingSeconds: number;
    }
  | {
      readonly isAnswered: true;
      readonly answer: InteractionAnswer | undefined;
      readonly params: Parameters;
    };

/** A stored interaction, and whether the requesting browser began it. */
export interface FoundInteraction {
  readonly isOfThisBrowser: boolean;
  readonly interaction: StoredInteraction;
}

/**
 * Interactions by `uid`. The `uid` is part of a path and proves nothing, so each interaction is bound to its browser by a
 * keyed digest of the browser's secret. Rows are found by the digest of the `uid`.
 */
export interface InteractionStore {
  /** Stores a new interaction, bound to the browser of the request. */
  insert(ctx: BrowserRequest, uid: string, payload: object, seconds: number): Promise<void>;
  /** @returns `undefined` if it does not exist or has expired */
  find(ctx: BrowserRequest, uid: string): Promise<FoundInteraction | undefined>;
  /** As `find`, with a row lock until the transaction ends. */
  lock(ctx: BrowserRequest, uid: string): Promise<FoundInteraction | undefined>;
  /** Stores a result of the pages. @param forgetsSession whether the session that began it has ended */
  settle(uid: string, result: InteractionResult, forgetsSession: boolean): Promise<void>;
  /** Replaces the interaction by its response, which can be repeated while a code is valid. */
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
    SET payload = jsonb_build_object('browser', payload -> 'browser', 'params', jsonb_build_object(
        'client_id', payload #> '{params,client_id}', 'redirect_uri', payload #> '{params,redirect_uri}',
        'state', payload #> '{params,state}'),
      'answer', $2::jsonb || jsonb_build_object('until', extract(epoch FROM gatehouse_now())::float8 + $3::float8))
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
      // Rows that an earlier release answered have no members.
      const { params = {} } = payload as Partial<InteractionPayload>;
      const opened = open(uid, answer, row);
      return { isOfThisBrowser, interaction: { isAnswered: true, answer: opened, params } };
    }
    const { result, ...others } = payload;
    const isGood = result !== undefined && (await isStillGood(result));
    const kept = { ...others, ...(isGood && { result }) };
    const interaction = { isAnswered: false, payload: kept, remainingSeconds: row.remaining };
    return { isOfThisBrowser, interaction } as FoundInteraction;
  }

  // A login result is dropped if the password was changed since.
  const isStillGood = async ({ login }: InteractionResult) =>
    login === undefined || hasPassword(login.accountId, login.passwordMark);

  function open(
    uid: string,
    { sealed, keyId, until }: NonNullable<Row['payload']['answer']>,
    { now }: Row,
  ): InteractionAnswer | undefined {
    // Responses under a removed secret key are lost, which is acceptable: they live a minute.
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
 * Responses contain a code and a session's secret. They are encrypted under the `uid` too, which is not stored, so that
 * the database and `SECRET_KEYS` together do not reveal them.
 */
function keyringOf(uid: string): Keyring {
  return createKeyring([`interaction answer ${uid}`]);
}

function bindingOf(uid: string, secret: string): string {
  return JSON.stringify(['interaction', uid, secret]);
}

/** Deletes expired interactions. */
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
