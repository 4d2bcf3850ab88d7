import { beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { hash as hashWithBcrypt } from '@node-rs/bcrypt';
import { randomUUID } from 'node:crypto';

import { createAccountLinks } from '../../src/accounts/links/account-links.js';
import { createSignIn } from '../../src/accounts/sign-in.js';
import { createId } from '../../src/db/id.js';
import { createSessionStore } from '../../src/sessions/session-store.js';
import { createCli } from '../support/app/cli.js';
import { createOperatorKey, operatorSender } from '../support/app/operator.js';
import { expectInvalid } from '../support/app/problems.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const PASSWORD = 'old password 1';
const SALT = '8PHy8/T19vf4.fr7/P3./w';

/** Made by Python's `hashlib`, the vectors of `crypt_blowfish` and the reference implementation of argon2. */
const FOREIGN: Readonly<Record<string, readonly [password: string, hash: string]>> = {
  'argon2i, version 16': [
    'password',
    '$argon2i$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ',
  ],
  'pbkdf2-sha256 of passlib': [
    PASSWORD,
    `$pbkdf2-sha256$29000$${SALT}$0rDydktdM.1B1lHSZZfuMiVvh6HBIAm6hmoRDsY9YFk`,
  ],
  'pbkdf2 of passlib': [PASSWORD, `$pbkdf2$1000$${SALT}$QQmWi5BOPwSPuZWwtnBmtm3Ak6Y`],
  'pbkdf2_sha256 of Django': [
    PASSWORD,
    'pbkdf2_sha256$20000$saltOfDjango1$Az+wEPK2XTWQUu44FnDkpu5DxajR7kVRkjR3wVLzOYI=',
  ],
  scrypt: [
    PASSWORD,
    `$scrypt$ln=12,r=8,p=1$${SALT.replaceAll('.', '+')}$k2bxY4p4LB5xcXkPTeU/Bq35GOrakSw1LVQzA7IF0S0`,
  ],
  '2a of bcrypt': ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  '2b of bcrypt': ['U*U', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  '2y of bcrypt': ['U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
};

interface Report {
  readonly read: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly refusals: readonly { readonly line: number; readonly reason: string }[];
}

describe('accounts import', () => {
  const gatehouse = useGatehouse();
  let cli: ReturnType<typeof createCli>;
  let signIn: ReturnType<typeof createSignIn>;
  let addresses = 0;
  beforeAll(async () => {
    cli = createCli(gatehouse.database);
    const { dataSource, keyring } = gatehouse;
    signIn = createSignIn({ dataSource, keyring, refusedSignIns: { note: () => undefined } });
    await gatehouse.createTenant('acme');
    await gatehouse.createTenant('other');
  });

  const run = async (lines: readonly (object | string)[], ...more: string[]) => {
    const input = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    const { code, stdout, stderr } = await cli(
      ['accounts', 'import', '--json', ...more],
      input.join('\n'),
    );
    return { code, stderr, report: JSON.parse(stdout || '{}') as Report };
  };
  const newEmail = () => `${randomUUID()}@acme.example`;
  const attempt = async (email: string, password: string) => {
    addresses += 1;
    return (await signIn({ email, password, address: `198.18.0.${addresses}` })).outcome;
  };
  const rowOf = async (email: string) => {
    const rows = await gatehouse.database.query<Record<string, unknown>>(
      `SELECT a.id, name, password_hash AS hash, external_id AS "externalId", metadata,
         ARRAY(SELECT t.slug || ' ' || role FROM memberships m JOIN tenants t ON t.id = m.tenant_id
               WHERE account_id = a.id ORDER BY 1) AS roles,
         ARRAY(SELECT action FROM audit_log WHERE subject = a.id ORDER BY id) AS actions
       FROM accounts a WHERE email = $1`,
      [email],
    );
    return rows[0];
  };

  it('lets people sign in with their old password, of which only our own hash is kept then', async () => {
    const people = Object.values(FOREIGN).map(([password, passwordHash]) => ({
      password,
      line: { email: newEmail(), passwordHash },
    }));
    const { code, report } = await run(people.map(({ line }) => line));
    expect([code, report]).toEqual([
      0,
      expect.objectContaining({ created: people.length, refused: 0, refusals: [] }),
    ]);
    for (const {
      password,
      line: { email, passwordHash },
    } of people) {
      expect([passwordHash, await attempt(email, `${password}x`)]).toEqual([
        passwordHash,
        'refused',
      ]);
      expect((await rowOf(email))?.['hash']).toContain(passwordHash);
      expect([passwordHash, await attempt(email, password)]).toEqual([passwordHash, 'accepted']);
      expect((await rowOf(email))?.['hash']).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      expect(await attempt(email, password)).toBe('accepted');
    }
  });

  it('checks passwords of every length and character against a hash of bcrypt', async () => {
    const email = newEmail();
    await run([{ email, passwordHash: await hashWithBcrypt('ﬁrst', 4) }]);
    for (const password of ['', 'a\0b', 'x'.repeat(1000), 'first']) {
      expect([password, await attempt(email, password)]).toEqual([password, 'refused']);
    }
    expect(await attempt(email, 'ﬁrst')).toBe('accepted');
  });

  it('refuses hashes that would be too much work, or that other passwords match, by their line', async () => {
    const output = 'A'.repeat(43);
    const [, bcrypt = ''] = FOREIGN['2b of bcrypt'] ?? [];
    const refusedHashes = [
      bcrypt.replace('$05$', '$31$'),
      '$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$' + output,
      '$argon2id$v=19$m=19456,t=99999,p=1$c29tZXNhbHQ$' + output,
      '$scrypt$ln=31,r=8,p=1$c29tZXNhbHQ$' + output,
      '$scrypt$ln=14,r=8,p=999$c29tZXNhbHQ$' + output,
      '$pbkdf2-sha256$999999999$c29tZXNhbHQ$' + output,
      'pbkdf2_sha256$99999999$c29tZXNhbHQ$' + output + '=',
      '$pbkdf2-sha256$1000$c29tZXNhbHQ$AAAA',
      '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA',
      '5f4dcc3b5aa765d61d8327deb882cf99',
      '!',
      '~0001:' + bcrypt,
      'x'.repeat(10_000),
    ];
    const { code, report } = await run(
      refusedHashes.map((passwordHash) => ({ email: newEmail(), passwordHash })),
    );
    expect([code, report.created, report.refused]).toEqual([1, 0, refusedHashes.length]);
    expect(report.refusals.map(({ line }) => line)).toEqual(refusedHashes.map((_, n) => n + 1));
    for (const { reason } of report.refusals) {
      expect(reason).toMatch(/^passwordHash: (?:takes longer|must be bcrypt|must have at most)/);
    }
  });

  it('refuses hashes that cannot be checked, and lets everybody sign in beside a planted one', async () => {
    const output = 'A'.repeat(43);
    const uncheckable = [
      '$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ$' + output,
      '$argon2id$v=19$m=65536,t=2,p=0$c29tZXNhbHQ$' + output,
      '$argon2id$v=19$m=63,t=2,p=8$c29tZXNhbHQ$' + output,
      '$argon2id$v=19$m=65536,t=2,p=1$c29tZQ$' + output,
      '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$' + 'A'.repeat(42) + 'B',
      '$scrypt$ln=16,r=1,p=1$c29tZXNhbHQ$' + output,
    ];
    const { report } = await run(
      uncheckable.map((passwordHash) => ({ email: newEmail(), passwordHash })),
    );
    expect([report.created, report.refused]).toEqual([0, uncheckable.length]);

    const [email, other] = [newEmail(), newEmail()];
    await run([{ email }, { email: other, passwordHash: await hashWithBcrypt(PASSWORD, 4) }]);
    for (const planted of uncheckable) {
      await gatehouse.database.query('UPDATE accounts SET password_hash = $1 WHERE email = $2', [
        `~9999:${planted}`,
        email,
      ]);
      const outcomes = [await attempt(email, PASSWORD), await attempt(newEmail(), PASSWORD)];
      expect([planted, ...outcomes]).toEqual([planted, 'refused', 'refused']);
    }
    expect(await attempt(other, PASSWORD)).toBe('accepted');
    await gatehouse.database.query(`UPDATE accounts SET password_hash = '!' WHERE email = $1`, [
      email,
    ]);
  });

  it('never checks a planted hash of huge cost', async () => {
    const email = newEmail();
    await run([{ email }]);
    const planted = `~0001:$pbkdf2-sha256$999999999$c29tZXNhbHQ$${'A'.repeat(43)}`;
    await gatehouse.database.query('UPDATE accounts SET password_hash = $1 WHERE email = $2', [
      planted,
      email,
    ]);
    expect(await attempt(email, PASSWORD)).toBe('refused');
    await gatehouse.database.query(`UPDATE accounts SET password_hash = '!' WHERE email = $1`, [
      email,
    ]);
  });

  it('creates once, updates on request, and keeps roles and passwords of here', async () => {
    const [email, moved] = [newEmail(), newEmail()];
    const externalId = randomUUID();
    const line = {
      email: email.toUpperCase(),
      name: 'Ann',
      externalId,
      metadata: { plan: 'pro' },
      passwordHash: await hash(PASSWORD, { timeCost: 1, memoryCost: 1024 }),
      memberships: [{ tenant: 'acme', role: 'viewer' }],
    };
    expect((await run([line], '--dry-run')).report).toMatchObject({ created: 1, dryRun: true });
    expect(await rowOf(email)).toBeUndefined();
    expect((await run(['', line, line])).report).toMatchObject({
      read: 2,
      created: 1,
      unchanged: 1,
    });
    expect(await rowOf(email)).toMatchObject({
      name: 'Ann',
      externalId,
      metadata: { plan: 'pro' },
      roles: ['acme viewer'],
      actions: ['account.create', 'membership.create'],
    });
    expect(await attempt(email, PASSWORD)).toBe('accepted');

    const changed = {
      ...line,
      email: moved,
      name: 'Ann B.',
      passwordHash: await hash('another password'),
      memberships: [
        { tenant: 'acme', role: 'manager' },
        { tenant: 'other', role: 'manager' },
      ],
    };
    expect((await run([changed])).report).toMatchObject({ unchanged: 1, updated: 0 });
    expect((await run([changed], '--update')).report).toMatchObject({ updated: 1 });
    expect((await run([changed], '--update')).report).toMatchObject({ unchanged: 1 });
    expect(await rowOf(moved)).toMatchObject({
      name: 'Ann B.',
      externalId,
      roles: ['acme viewer', 'other manager'],
    });
    expect(await attempt(moved, PASSWORD)).toBe('accepted');
    expect(await attempt(moved, 'another password')).toBe('refused');
  });

  it('ends the sessions and links of an account whose imported password it replaces', async () => {
    const email = newEmail();
    const line = { email, passwordHash: FOREIGN['2b of bcrypt']?.[1] };
    await run([line]);
    const { id } = (await rowOf(email)) as { id: string };
    const { dataSource, keyring, format } = gatehouse;
    const sessions = createSessionStore(dataSource.manager, keyring);
    const links = createAccountLinks(dataSource.manager, keyring, format);
    await sessions.save({
      id: createId('ses'),
      secret: gatehouse.format.mint('ses'),
      accountId: id,
      payload: {},
      address: null,
      userAgent: null,
      ttlSeconds: 3600,
    });
    const link = await links.create('password', { accountId: id, email });
    const held = async () => [
      (await sessions.listOfAccount(id)).length,
      (await links.find('password', link)) !== undefined,
    ];
    await run([{ ...line, name: 'Ann' }], '--update');
    expect(await held()).toEqual([1, true]);
    await run([{ email, passwordHash: FOREIGN['scrypt']?.[1] }], '--update');
    expect(await held()).toEqual([0, false]);
    expect((await rowOf(email))?.['actions']).toContain('account.set_password');
  });

  it('reports every other line that it cannot use, and imports the rest', async () => {
    const [taken, free] = [newEmail(), newEmail()];
    await run([{ email: taken, externalId: 'one' }]);
    const { code, report } = await run([
      '{"email": ',
      { name: 'nobody' },
      { email: free, role: 'viewer' },
      { email: free, memberships: [{ tenant: 'nowhere', role: 'viewer' }] },
      { email: free, memberships: [{ tenant: 'acme', role: 'emperor' }] },
      { email: free, memberships: [{ tenant: 'a\0b', role: 'viewer' }] },
      { email: taken, externalId: 'two' },
      { email: free },
    ]);
    expect(code).toBe(1);
    expect(report).toMatchObject({ read: 8, created: 1, refused: 7 });
    expect(report.refusals.map(({ line, reason }) => [line, reason.split(':')[0]])).toEqual([
      [1, 'not JSON'],
      [2, 'email'],
      [3, 'has unknown members'],
      [5, expect.stringContaining('role')],
      [6, expect.stringContaining('tenant')],
      [4, 'memberships'],
      [7, 'externalId'],
    ]);
  });

  it('is the same by the API, whose batches are limited', async () => {
    const send = operatorSender(gatehouse, await createOperatorKey(gatehouse));
    const email = newEmail();
    const accounts = [{ email, passwordHash: FOREIGN['2b of bcrypt']?.[1] }, { email }];
    const answer = await send('post', 'accounts/imports', { accounts });
    expect([answer.status, answer.body.data?.outcomes]).toEqual([
      200,
      [{ outcome: 'created' }, { outcome: 'refused', reason: expect.stringContaining('twice') }],
    ]);
    expect(await attempt(email, 'U*U')).toBe('accepted');
    const many = Array.from({ length: 1001 }, () => ({ email }));
    expectInvalid(await send('post', 'accounts/imports', { accounts: many }), ['accounts']);
  });

  it('makes every sign-in as much work while a costly hash is imported', async () => {
    const [imported, own] = [newEmail(), newEmail()];
    await run([{ email: own, passwordHash: FOREIGN['2b of bcrypt']?.[1] }]);
    expect(await attempt(own, 'U*U')).toBe('accepted');
    await run([{ email: imported, passwordHash: await hashWithBcrypt(PASSWORD, 11) }]);
    // Time of the processor, which other processes share.
    const workOf = async (email: string) => {
      const before = process.cpuUsage();
      expect(await attempt(email, 'wrong')).toBe('refused');
      const { user } = process.cpuUsage(before);
      return user / 1000;
    };
    const works = [await workOf(imported), await workOf(own), await workOf(newEmail())];
    expect(Math.min(...works)).toBeGreaterThan(Math.max(...works) / 2);
    expect(await attempt(imported, PASSWORD)).toBe('accepted');
    expect(await workOf(own)).toBeLessThan(Math.min(...works) / 1.5);
  });
});
