import { beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import { createRevocationStore } from '../../src/credentials/revocation/revocation-store.js';
import { createSessionStore, type NewSession } from '../../src/sessions/session-store.js';
import { deleteExpiredSessions } from '../../src/sessions/session-cleanup.js';
import { TEST_SECRET_KEY } from '../support/app/app.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const NEWER = 'a newer secret key that is only for tests';

/** Some seconds may pass on a busy machine. */
const about = (seconds: number): unknown => expect.closeTo(seconds, -1);

describe('sessions', () => {
  const gatehouse = useGatehouse();
  let ann: string;
  let bob: string;
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    [ann, bob] = [await createAccount(), await createAccount()];
  });

  async function createAccount(): Promise<string> {
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    const email = `${randomUUID()}@example.com`;
    return (await accounts.create({ email, name: null, password: 'a password' })).id;
  }

  const store = (keyring = gatehouse.keyring) =>
    createSessionStore(gatehouse.dataSource.manager, keyring);
  const newSession = (accountId: string | null, fields: object = {}): NewSession => ({
    id: `ses-${randomUUID()}`,
    secret: randomUUID(),
    accountId,
    payload: { n: 1 },
    address: '192.0.2.1',
    userAgent: 'A browser',
    ttlSeconds: 3600,
    ...fields,
  });
  async function saved(accountId: string | null, fields: object = {}): Promise<NewSession> {
    const session = newSession(accountId, fields);
    expect(await store().save(session)).toBe(true);
    return session;
  }
  const revoke = (subject: string) =>
    gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(subject, 'operator', null),
    );
  const isAlive = async ({ secret, id }: NewSession): Promise<boolean> => {
    const found = [await store().findBySecret(secret), await store().findById(id)];
    expect(found[0]?.id).toBe(found[1]?.id);
    return found[0] !== undefined;
  };

  it('are found by their secret and by their id, and stored without the secret', async () => {
    const session = await saved(ann);
    const { id, secret } = session;

    const found = {
      id,
      accountId: ann,
      payload: { n: 1 },
      remainingSeconds: about(3600),
      issueSeq: expect.stringMatching(/^\d+$/),
    };
    expect(await store().findBySecret(secret)).toEqual(found);
    expect(await store().findById(id)).toEqual(found);
    expect(await store().findBySecret(id)).toBeUndefined();
    expect(await store().findById(secret)).toBeUndefined();
    expect(await gatehouse.database.dump()).not.toContain(secret);
    const leaking = { ...session, payload: { nested: { jti: secret } } };
    await expect(store().save(leaking)).rejects.toThrow('must not hold its secret');
  });

  it('are valid until they expire, and saving prolongs them', async () => {
    const session = await saved(ann);
    await gatehouse.database.shiftClock('59 minutes');
    expect(await store().findById(session.id)).toMatchObject({ remainingSeconds: about(60) });
    expect(await store().save({ ...session, payload: { n: 2 } })).toBe(true);
    await gatehouse.database.shiftClock('118 minutes');
    expect(await store().findBySecret(session.secret)).toMatchObject({ payload: { n: 2 } });
    await gatehouse.database.shiftClock('120 minutes');
    expect(await isAlive(session)).toBe(false);
  });

  it('end when their account is revoked, unlike sessions that begin later', async () => {
    const [session, other, anonymous] = [await saved(ann), await saved(bob), await saved(null)];
    await revoke(ann);

    expect(await isAlive(session)).toBe(false);
    expect(await isAlive(other)).toBe(true);
    expect(await isAlive(anonymous)).toBe(true);
    expect(await store().listOfAccount(ann)).toEqual([]);
    expect(await isAlive(await saved(ann))).toBe(true);
  });

  it('get a new position in the sequence at sign-in only', async () => {
    const session = await saved(null);
    await revoke(ann);
    await store().save({ ...session, accountId: ann });
    expect(await isAlive(session)).toBe(true);

    await revoke(ann);
    expect(await store().save({ ...session, accountId: ann })).toBe(false);
    expect(await isAlive(session)).toBe(false);
  });

  it('change their secret at sign-in and keep their id', async () => {
    const before = await saved(null);
    await store().destroyBySecret(before.secret);
    const after = { ...before, accountId: ann, secret: randomUUID() };
    expect(await store().save(after)).toBe(true);

    expect(await store().findBySecret(before.secret)).toBeUndefined();
    expect(await store().findBySecret(after.secret)).toMatchObject({ id: before.id });
  });

  it('are not revived by a request that still has them', async () => {
    const [destroyed, ended] = [await saved(ann), await saved(ann)];
    await store().destroyBySecret(destroyed.secret);
    await store().endAllOf(ann);

    for (const session of [destroyed, ended]) {
      expect(await store().save(session)).toBe(false);
      expect(await isAlive(session)).toBe(false);
    }
    expect(
      await gatehouse.database.query(`SELECT payload FROM sessions WHERE account_id = $1`, [ann]),
    ).toEqual([{ payload: {} }, { payload: {} }]);
  });

  it('are listed for their account, the latest first, without anything secret', async () => {
    const first = await saved(ann);
    await gatehouse.database.shiftClock('1 minute');
    const second = await saved(ann);
    await saved(bob);
    const listed = await store().listOfAccount(ann);

    expect(listed.map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(Object.keys(listed[0] ?? {}).toSorted()).toEqual([
      'address',
      'createdAt',
      'expiresAt',
      'id',
      'method',
      'seenAt',
      'userAgent',
    ]);
  });

  it('are ended all at once, but for one', async () => {
    const [kept, other, theirs] = [await saved(ann), await saved(ann), await saved(bob)];

    expect(await store().endAllOf(ann, kept.id)).toBe(1);
    expect(await Promise.all([kept, other, theirs].map(isAlive))).toEqual([true, false, true]);
    expect(await store().endAllOf(ann)).toBe(1);
    expect(await isAlive(kept)).toBe(false);
  });

  it('move to the current secret key when they are saved', async () => {
    const session = await saved(ann);
    const both = store(createKeyring([NEWER, TEST_SECRET_KEY]));
    expect(await both.findBySecret(session.secret)).toMatchObject({ id: session.id });
    expect(await both.save(session)).toBe(true);

    const only = store(createKeyring([NEWER]));
    expect(await only.findBySecret(session.secret)).toMatchObject({ id: session.id });
    expect(await store().findBySecret(session.secret)).toBeUndefined();
  });

  it('are deleted some time after their end', async () => {
    const session = await saved(ann);
    const alive = await saved(ann, { ttlSeconds: 86_400 });
    await gatehouse.database.shiftClock('90 minutes');
    await deleteExpiredSessions(gatehouse.dataSource.manager);
    const ids = async () =>
      (
        await gatehouse.database.query<{ id: string }>(
          'SELECT id FROM sessions WHERE account_id = $1',
          [ann],
        )
      ).map(({ id }) => id);
    expect(await ids()).toContain(session.id);

    await gatehouse.database.shiftClock('121 minutes');
    await deleteExpiredSessions(gatehouse.dataSource.manager);
    expect(await ids()).toEqual([alive.id]);
  });

  it('keep their position in the sequence under a new secret, so that an earlier revocation still ends them', async () => {
    const id = `ses-${randomUUID()}`;
    const fields = {
      id,
      accountId: ann,
      payload: {},
      address: null,
      userAgent: null,
      ttlSeconds: 60,
    };
    await store().save({ ...fields, secret: 'first' });
    const issueSeq = (await store().findById(id))?.issueSeq;

    expect(await store().save({ ...fields, secret: 'second', issueSeq })).toBe(true);
    expect((await store().findBySecret('second'))?.issueSeq).toBe(issueSeq);
    expect(await store().findBySecret('first')).toBeUndefined();

    await gatehouse.dataSource.transaction((manager) =>
      createRevocationStore(manager).revoke(ann, 'test', null),
    );
    expect(await store().save({ ...fields, secret: 'third', issueSeq })).toBe(false);
    expect(await store().findBySecret('third')).toBeUndefined();
  });
});
