import { beforeEach, describe, expect, it } from '@jest/globals';

import { createInvitationStore } from '../../src/accounts/members/invitation-store.js';
import { createAccountLinks } from '../../src/accounts/links/account-links.js';
import type { TestKey } from '../support/app/app.js';
import { newBrowser, signIn, whoIs } from '../support/browser/console.js';
import { addResourceServer, type TestResourceServer } from '../support/oauth/resource-servers.js';
import { type Browser, type TestUser, type TokenResponse } from '../support/oauth/oauth.js';
import { refresh, statusOf } from '../support/oauth/token-families.js';
import { useTwoReplicas } from '../support/replicas/two-replicas.js';

/** One of each kind. */
interface Issued {
  readonly key: TestKey;
  readonly publishable: TestKey;
  readonly tokens: TokenResponse;
  readonly browser: Browser;
  readonly email: string;
  readonly server: TestResourceServer;
  /** The secrets of an invitation, and of a link that sets a password. */
  readonly invitation: string;
  readonly link: string;
}

const both = useTwoReplicas();
let user: TestUser;
beforeEach(async () => {
  // Leaves nothing valid of an earlier test, which the counts of this one would include.
  expect(await both.cli(['recover', '--since', 'now', '--keys', '--yes'])).toMatchObject({
    code: 0,
  });
  user = await both.newUser();
});

const invitations = ({ dataSource, keyring, format } = both.gatehouse) =>
  createInvitationStore(dataSource.manager, keyring, format);
const links = ({ dataSource, keyring, format } = both.gatehouse) =>
  createAccountLinks(dataSource.manager, keyring, format);

async function invite(): Promise<string> {
  const invited = await invitations().create({
    tenantId: both.tenant.id,
    email: `guest-${Math.random()}@example.com`,
    role: 'viewer',
    invitedBy: user.id,
    isMailed: true,
  });
  return invited?.secret ?? '';
}

async function issue(): Promise<Issued> {
  const { gatehouse, tenant, installer } = both;
  const browser = newBrowser(gatehouse);
  await signIn(browser, user);
  const identifier = `https://files-${Math.random()}.example.com`;
  return {
    server: await addResourceServer(gatehouse, identifier),
    invitation: await invite(),
    link: await links().create('password', { accountId: user.id, email: user.email }),
    key: await gatehouse.createKey(tenant),
    publishable: await gatehouse.createKey(tenant, {
      kind: 'publishable',
      scopes: ['products:read'],
    }),
    tokens: await installer.install(),
    browser,
    email: user.email,
  };
}

/** The database's time. */
async function now(): Promise<string> {
  const rows = await both.gatehouse.database.query<{ now: Date }>('SELECT gatehouse_now() AS now');
  return rows[0]?.now.toISOString() ?? '';
}

/** States at both replicas of everything that was issued. */
async function stateOf(issued: Issued) {
  const { key, publishable, tokens, browser, email } = issued;
  const states = [];
  for (const server of [both.a, both.b]) {
    states.push({
      key: (await server.send('GET', '/api/v1/me', { key: key.secret })).status,
      publishable: (await server.send('GET', '/api/v1/me', { key: publishable.secret })).status,
      token: await statusOf(server, tokens.access_token),
      session: (await whoIs(browser)) === email,
    });
  }
  expect(states[1]).toEqual(states[0]);
  const refreshed = await refresh(both.b, both.installer.client, tokens.refresh_token);
  return {
    ...states[0],
    refresh: refreshed.error ?? refreshed.status,
    server: (await asServer(issued.server)).status,
    invitation: (await invitations().findBySecret(issued.invitation)) !== undefined,
    link: (await links().find('password', issued.link)) !== undefined,
  };
}

/** Asks for a verdict with the credential of a resource server. */
function asServer({ bearer }: TestResourceServer) {
  return fetch(`${both.a.origin}/api/v1/verify`, {
    method: 'POST',
    headers: { ...bearer, 'Content-Type': 'application/json' },
    body: JSON.stringify({ credentials: [{ credential: 'x' }] }),
  });
}

const GOOD = {
  key: 200,
  publishable: 200,
  token: 200,
  session: true,
  refresh: 200,
  server: 200,
  invitation: true,
  link: true,
};
const ENDED = {
  key: 401,
  publishable: 401,
  token: 401,
  session: false,
  refresh: 'invalid_grant',
  server: 401,
  invitation: false,
  link: false,
};

describe('revoke --issued-before', () => {
  it('ends everything that was issued before, of every kind, on the next request everywhere', async () => {
    const before = await issue();
    const time = await now();
    const after = await issue();

    const { code, stdout } = await both.cli([
      'revoke',
      '--issued-before',
      time,
      '--reason',
      'a leak',
      '--yes',
      '--json',
    ]);

    expect({ code, ...JSON.parse(stdout) }).toEqual({
      code: 0,
      issuedBefore: time,
      reason: 'a leak',
      ended: {
        keys: 2,
        serverCredentials: 1,
        operatorKeys: 0,
        grants: 1,
        sessions: expect.any(Number),
        invitations: 1,
        links: 1,
      },
    });
    expect(await stateOf(before)).toEqual(ENDED);
    expect(await stateOf(after)).toEqual(GOOD);
    expect(
      await both.gatehouse.database.query(
        `SELECT action, actor FROM audit_log WHERE action = 'everything.revoke'`,
      ),
    ).toEqual([{ action: 'everything.revoke', actor: 'operator' }]);
  }, 60_000);

  it('changes nothing when it is repeated, and does not affect later credentials', async () => {
    await issue();
    const words = ['revoke', '--issued-before', await now(), '--yes', '--json'];
    expect((await both.cli(words)).code).toBe(0);

    const again = await both.cli(words);

    expect(Object.values(JSON.parse(again.stdout).ended)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(await stateOf(await issue())).toEqual(GOOD);
  }, 60_000);
});

describe('recover --since', () => {
  const recover = async (...words: string[]) => {
    const { code, stdout, stderr } = await both.cli(['recover', ...words, '--yes', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as {
      ended: object;
      issuedSince: object;
      keysToDecideOn: { id: string }[];
    };
  };

  it('ends grants, tokens and sessions issued before, and lists the keys', async () => {
    const before = await issue();
    const time = await now();
    const after = await issue();

    const { ended, issuedSince, keysToDecideOn } = await recover('--since', time);

    expect(ended).toEqual({
      keys: 0,
      serverCredentials: 0,
      operatorKeys: 0,
      grants: 1,
      sessions: expect.any(Number),
      invitations: 1,
      links: 1,
    });
    expect(issuedSince).toMatchObject({ grants: 1, keys: 2, serverCredentials: 1 });
    const [ofServer, ...others] = keysToDecideOn;
    expect(ofServer).toMatchObject({ kind: 'resource_server', name: 'Files API', tenantId: null });
    expect(others.map(({ id }) => id).sort()).toEqual(
      [before.key.id, before.publishable.id].sort(),
    );
    const keysStay = { key: 200, publishable: 200, server: 200 };
    expect(await stateOf(before)).toEqual({ ...ENDED, ...keysStay });
    expect(await stateOf(after)).toEqual(GOOD);
  }, 60_000);

  it('ends the keys too with --keys', async () => {
    const before = await issue();

    const { keysToDecideOn } = await recover('--since', 'now', '--keys');

    expect(keysToDecideOn).toEqual([]);
    expect(await stateOf(before)).toEqual(ENDED);
    expect(await stateOf(await issue())).toEqual(GOOD);
  }, 60_000);

  it('moves the sequences beyond every number that was used since', async () => {
    const { database } = both.gatehouse;
    const read = () =>
      database.query<{ name: string; last: string | null }>(
        `SELECT sequencename AS name, last_value AS last FROM pg_sequences
         WHERE sequencename IN ('issue_order', 'contacts_id_seq', 'audit_log_id_seq') ORDER BY 1`,
      );
    const before = await read();
    await recover('--since', new Date(Date.now() - 3_600_000).toISOString());

    const moved = (await read()).map(
      ({ last }, index) => Number(last) - Number(before[index]?.last),
    );

    for (const by of moved) expect(by).toBeGreaterThanOrEqual(36_000_000);
    expect(await stateOf(await issue())).toEqual(GOOD);
  }, 60_000);
});
