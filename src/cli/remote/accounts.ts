import { generatePassword, readNewPassword } from '../actions/new-password.js';
import type * as local from '../actions/accounts.js';
import type { RemoteActions } from '../backend.js';
import type { RemoteContext } from '../context.js';
import { Refused } from '../errors.js';
import { givenAccount } from '../given.js';
import { openRemoteList, part } from './listing.js';
import { Problem } from '../../http/errors/problem.js';

type Actions = RemoteActions<
  typeof local,
  'createAccount' | 'listMembers' | 'updateMember' | 'removeMember' | 'setPassword'
>;

interface Account {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly emailVerified: boolean;
  readonly createdAt: string;
}

interface Membership {
  readonly id: string;
  readonly accountId: string;
  readonly tenantId: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: string;
  readonly createdAt: string;
}

export const createAccount: Actions['createAccount'] = async ({ api, input }, values) => {
  const { tenant: tenantId, role, emailVerified: isVouchedFor } = values;
  const { email, name } = givenAccount(values);
  const given = values.passwordStdin ? readNewPassword(input) : undefined;
  const existing = await findAccount(api, email);
  if (existing !== undefined && given !== undefined) {
    throw new Refused(
      'The account exists already and keeps its password: leave out --password-stdin.',
    );
  }
  const generated = generatePassword();
  const account =
    existing ??
    // One call, so that no account stays without a membership.
    (await api.send<Account>('POST', '/accounts', {
      email,
      ...(name !== undefined && { name }),
      emailVerified: isVouchedFor,
      password: given ?? generated,
      memberships: [{ tenantId, role }],
    }));
  const membership =
    existing === undefined
      ? await membershipOf(api, account.id, tenantId)
      : await api.send<Membership>('POST', '/memberships', {
          accountId: account.id,
          tenantId,
          role,
        });
  if (existing !== undefined && isVouchedFor && !existing.emailVerified) {
    await api.send('PATCH', `/accounts/${part(account.id)}`, { emailVerified: true });
  }
  return {
    id: account.id,
    email: account.email,
    name: account.name,
    emailVerified: isVouchedFor || account.emailVerified,
    tenantId: membership.tenantId,
    role,
    createdAt: account.createdAt,
    ...(existing === undefined && given === undefined && { password: generated }),
  };
};

export const listMembers: Actions['listMembers'] = async ({ api }, { tenant: tenantId }) =>
  openRemoteList<Membership>(api, '/memberships', { tenantId }, (membership) => {
    const { accountId, email, name, role, createdAt } = membership;
    return { id: accountId, email, name, role, createdAt, tenantId: membership.tenantId };
  });

export const updateMember: Actions['updateMember'] = async ({ api }, { email, tenant, role }) => {
  const account = await getAccount(api, email);
  const path = membershipPath(account.id, tenant);
  const changed = await api.send<Membership>('PATCH', path, { role });
  return { id: account.id, email: account.email, tenantId: changed.tenantId, role };
};

export const removeMember: Actions['removeMember'] = async ({ api }, { email, tenant }) => {
  const account = await getAccount(api, email);
  const { tenantId } = await membershipOf(api, account.id, tenant);
  await api.send('DELETE', membershipPath(account.id, tenant));
  return { id: account.id, email: account.email, tenantId, removed: true };
};

export const setPassword: Actions['setPassword'] = async ({ api, input }, { email }) => {
  const password = readNewPassword(input);
  const account = await getAccount(api, email);
  const { endedSessions } = await api.send<{ endedSessions: number }>(
    'POST',
    `/accounts/${part(account.id)}/password`,
    { password },
  );
  return { id: account.id, email: account.email, endedSessions };
};

type Api = RemoteContext['api'];

async function findAccount(api: Api, email: string): Promise<Account | undefined> {
  const [found] = await api.get<readonly Account[]>('/accounts', { email: email.trim(), limit: 1 });
  return found;
}

/** @throws Problem `not_found` */
async function getAccount(api: Api, email: string): Promise<Account> {
  const found = await findAccount(api, email);
  if (found === undefined) throw new Problem('not_found', `There is no account ${email}.`);
  return found;
}

function membershipOf(api: Api, accountId: string, tenant: string): Promise<Membership> {
  return api.get<Membership>(membershipPath(accountId, tenant));
}

function membershipPath(accountId: string, tenant: string): string {
  return `/memberships/${part(`${accountId}@${tenant}`)}`;
}
