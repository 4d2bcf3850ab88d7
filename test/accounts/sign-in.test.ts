import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { hash, parseOptions } from '@node-rs/argon2';
import { randomUUID } from 'node:crypto';

import { createAccountStore } from '../../src/accounts/account-store.js';
import { createSignIn, type SignInOutcome } from '../../src/accounts/sign-in.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PASSWORD = 'correct horse battery staple';
/** Limit for one address at one account, and for all addresses at one account. */
const PER_ACCOUNT = 10;
const PER_ACCOUNT_OF_ALL = 50;
const PER_ADDRESS = 60;
const RIGHT_PER_ACCOUNT = 60;
const RIGHT_PER_ADDRESS = 100;

describe('a sign-in', () => {
  const gatehouse = useGatehouse();
  /** Two replicas. */
  let signIns: readonly ReturnType<typeof createSignIn>[];
  let email: string;
  let address: string;
  let accountId: string;
  let addresses = 0;
  beforeAll(async () => {
    const refusedSignIns = { note: () => undefined };
    signIns = [0, 1].map(() => createSignIn({ ...gatehouse, refusedSignIns }));
  });
  beforeEach(async () => {
    await gatehouse.database.shiftClock('0');
    email = `${randomUUID()}@example.com`;
    address = nextAddress();
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    accountId = (await accounts.create({ email, name: 'Ann', password: PASSWORD })).id;
  });

  function nextAddress(): string {
    addresses += 1;
    return `198.18.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`;
  }

  function signIn(fields: object = {}, replica = 0): Promise<SignInOutcome> {
    const attempt = { email, password: PASSWORD, address, ...fields };
    return signIns[replica % 2]?.(attempt) ?? Promise.reject(new Error('no such replica'));
  }

  const wrong = (fields: object = {}, replica = 0) =>
    signIn({ password: 'wrong', ...fields }, replica);
  const outcomes = (all: readonly SignInOutcome[], outcome: string) =>
    all.filter((one) => one.outcome === outcome);

  it('returns the account, for any spelling of the address', async () => {
    const passwordMark: unknown = expect.stringMatching(/^[0-9a-f]{64}$/);
    const account = { id: accountId, email, name: 'Ann', passwordMark };
    const deviceCookie: unknown = { value: expect.any(String), lifetimeSeconds: 90 * 86_400 };
    const accepted = { outcome: 'accepted', account, deviceCookie };

    expect(await signIn()).toEqual(accepted);
    expect(await signIn({ email: ` ${email.toUpperCase()} ` })).toEqual(accepted);
  });

  it('answers the same for a wrong password and an unknown account', async () => {
    const refused = { outcome: 'refused' };

    expect(await wrong()).toEqual(refused);
    expect(await wrong({ password: '' })).toEqual(refused);
    expect(await signIn({ email: 'nobody@example.com' })).toEqual(refused);
    expect(await signIn({ email: '' })).toEqual(refused);
    expect(await signIn({ email: 'a\0b@example.com' })).toEqual(refused);
  });

  it('refuses a password that is too long, even the right one', async () => {
    const long = 'x'.repeat(1001);
    await gatehouse.database.query('UPDATE accounts SET password_hash = $1 WHERE id = $2', [
      await hash(long),
      accountId,
    ]);

    expect(await signIn({ password: long })).toEqual({ outcome: 'refused' });
    expect(await signIn({ password: 'x'.repeat(200_000) })).toEqual({ outcome: 'refused' });
  });

  it('does not process a password or address that is too long, counted in bytes', async () => {
    const startedAt = performance.now();
    for (const fields of [
      { password: '\u0301'.repeat(501) },
      { password: `a${'\u0301\u0334'.repeat(1_000_000)}` },
      { email: `${'\u0301'.repeat(161)}@example.com` },
      { email: `${'a'.repeat(4_000_000)}@example.com` },
    ]) {
      expect(await signIn(fields)).toEqual({ outcome: 'refused' });
    }
    expect(performance.now() - startedAt).toBeLessThan(100);
    for (let n = 0; n < 2 * PER_ACCOUNT; n += 1) await signIn({ password: 'x'.repeat(1001) });
    expect(await signIn()).toMatchObject({ outcome: 'accepted' });
  });

  it('treats composed and decomposed, full-width and ligature forms of a password as equal', async () => {
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    const forms = ['Crème brûlée ﬁx Å 한국', 'Crème brûlée ﬁx Å 한국'.normalize('NFD')];
    forms.push('Crème brûlée fix \u212B 한국', 'Ｃrème brûlée fix Å 한국'.normalize('NFD'));
    for (const chosen of forms) {
      const address_ = `${randomUUID()}@example.com`;
      await accounts.create({ email: address_, name: null, password: chosen });
      for (const typed of forms) {
        const attempt = { email: address_, password: typed, address: nextAddress() };
        expect(await signIn(attempt)).toMatchObject({ outcome: 'accepted' });
      }
      const attempt = { email: address_, password: 'Creme brulee fix A 한국' };
      expect(await signIn(attempt)).toEqual({ outcome: 'refused' });
    }
  });

  it('accepts a password whose hash is not normalised, and replaces the hash', async () => {
    const typed = 'Crème brûlée'.normalize('NFD');
    await gatehouse.database.query('UPDATE accounts SET password_hash = $1 WHERE id = $2', [
      await hash(typed, { memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
      accountId,
    ]);
    expect(await signIn({ password: typed.normalize('NFC') })).toEqual({ outcome: 'refused' });
    expect(await signIn({ password: typed })).toMatchObject({ outcome: 'accepted' });
    for (const form of ['NFC', 'NFD']) {
      expect(await signIn({ password: typed.normalize(form) })).toMatchObject({
        outcome: 'accepted',
      });
    }
  });

  it('admits exactly ten of thirty parallel attempts on an account, over all replicas', async () => {
    const all = await Promise.all(Array.from({ length: 30 }, (_, index) => wrong({}, index)));

    expect(outcomes(all, 'refused')).toHaveLength(PER_ACCOUNT);
    expect(outcomes(all, 'throttled')).toHaveLength(30 - PER_ACCOUNT);
  });

  it('does not lock out another address', async () => {
    for (let n = 0; n < 2 * PER_ACCOUNT; n += 1) await wrong();

    expect(await signIn()).toMatchObject({ outcome: 'throttled' });
    expect(await signIn({ address: nextAddress() })).toMatchObject({ outcome: 'accepted' });
  });

  it('limits an account over many addresses too', async () => {
    const all = await Promise.all(
      Array.from({ length: PER_ACCOUNT_OF_ALL + 10 }, (_, index) =>
        wrong({ address: nextAddress() }, index),
      ),
    );

    expect(outcomes(all, 'refused')).toHaveLength(PER_ACCOUNT_OF_ALL);
  }, 60_000);

  it('throttles accounts that do not exist too', async () => {
    const unknown = `${randomUUID()}@example.com`;
    const all: SignInOutcome[] = [];
    for (let n = 0; n <= PER_ACCOUNT; n += 1) all.push(await wrong({ email: unknown }));

    expect(all.map(({ outcome }) => outcome)).toEqual([
      ...Array.from({ length: PER_ACCOUNT }, () => 'refused'),
      'throttled',
    ]);
  });

  it('throttles the right password too, returns the time to wait, and admits it afterwards', async () => {
    for (let n = 0; n < PER_ACCOUNT; n += 1) await wrong();
    const throttled = await signIn();

    expect(throttled).toEqual({ outcome: 'throttled', retryAfterSeconds: expect.any(Number) });
    const { retryAfterSeconds } = throttled as { retryAfterSeconds: number };
    expect(retryAfterSeconds).toBeGreaterThan(290);
    expect(retryAfterSeconds).toBeLessThanOrEqual(300);
    await gatehouse.database.shiftClock('301 seconds');
    expect(await signIn()).toMatchObject({ outcome: 'accepted' });
  });

  it('counts right passwords separately: sixty per account', async () => {
    for (let n = 0; n < PER_ACCOUNT - 1; n += 1) await wrong();
    for (let n = 0; n < RIGHT_PER_ACCOUNT; n += 1) {
      const from = n < 30 ? {} : { address: nextAddress() };
      expect(await signIn(from, n)).toMatchObject({ outcome: 'accepted' });
    }
    expect(await signIn({ address: nextAddress() })).toMatchObject({ outcome: 'throttled' });
    await gatehouse.database.shiftClock('301 seconds');
    expect(await signIn()).toMatchObject({ outcome: 'accepted' });
    for (let n = 0; n < PER_ACCOUNT; n += 1) expect(await wrong()).toEqual({ outcome: 'refused' });
    expect(await wrong()).toMatchObject({ outcome: 'throttled' });
  }, 60_000);

  it('limits right passwords of one address over all accounts', async () => {
    const accounts = createAccountStore(gatehouse.dataSource.manager);
    const other = `other-${email}`;
    await accounts.create({ email: other, name: null, password: PASSWORD });
    const all: SignInOutcome[] = [];
    for (let n = 0; n < RIGHT_PER_ADDRESS + 2; n += 1) {
      all.push(await signIn({ email: n % 2 === 0 ? email : other }, n));
    }
    expect(outcomes(all, 'accepted')).toHaveLength(RIGHT_PER_ADDRESS);
    expect(outcomes(all, 'throttled')).toHaveLength(2);
    expect(await signIn({ address: nextAddress() })).toMatchObject({ outcome: 'accepted' });
  }, 60_000);

  it('counts no right password for an attempt that was throttled', async () => {
    for (let n = 0; n < 3 * RIGHT_PER_ACCOUNT; n += 1) await wrong();
    expect(await signIn({ address: nextAddress() })).toMatchObject({ outcome: 'accepted' });
  });

  it('throttles an address after sixty attempts on any accounts, without further counts on those', async () => {
    const tryAll = async (times: number, from: (n: number) => string) => {
      const all = Array.from({ length: times }, (_, n) =>
        wrong({ email: `${n}-${email}`, address: from(n) }, n),
      );
      return outcomes(await Promise.all(all), 'refused').length;
    };
    expect(await tryAll(70, () => address)).toBe(PER_ADDRESS);
    for (let n = 0; n < 2 * PER_ACCOUNT; n += 1) await wrong();
    expect(await signIn({ address: nextAddress() })).toMatchObject({ outcome: 'accepted' });

    // The owner of an IPv6 /64 controls all of its addresses.
    const prefix = '2001:db8:0:7';
    expect(await tryAll(70, (n) => `${prefix}::${n + 1}`)).toBe(PER_ADDRESS);
    expect(await signIn({ address: `${prefix}:a::1` })).toMatchObject({ outcome: 'throttled' });
    expect(await signIn({ address: '2001:db8:0:8::1' })).toMatchObject({ outcome: 'accepted' });
  }, 60_000);

  it('stores neither email nor address with the counters', async () => {
    await wrong();
    const rows = await gatehouse.database.query<{ bucket: string }>('SELECT bucket FROM attempts');

    expect(rows.length).toBeGreaterThan(1);
    for (const { bucket } of rows)
      expect(bucket).toMatch(
        /^sign-in (account|account from|address|right account|right address) [0-9a-f]{64}$/,
      );
  });

  it('replaces a hash with old parameters', async () => {
    const old = await hash(PASSWORD, { memoryCost: 8192, timeCost: 1 });
    await gatehouse.database.query('UPDATE accounts SET password_hash = $1 WHERE id = $2', [
      old,
      accountId,
    ]);
    const stored = async () => {
      const rows = await gatehouse.database.query<{ hash: string }>(
        'SELECT password_hash AS hash FROM accounts WHERE id = $1',
        [accountId],
      );
      return rows[0]?.hash ?? '';
    };

    await wrong();
    expect(await stored()).toBe(old);
    expect(await signIn()).toMatchObject({ outcome: 'accepted' });
    const renewed = await stored();
    expect(parseOptions(renewed)).toMatchObject({ memoryCost: 19_456, timeCost: 2 });
    expect(await signIn()).toMatchObject({ outcome: 'accepted' });
    expect(await stored()).toBe(renewed);
  });
});
