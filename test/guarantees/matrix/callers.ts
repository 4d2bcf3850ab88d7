import { createKeyService } from '../../../src/api-keys/key-service.js';
import { newPersonalToken } from '../../../src/api-keys/key-schema.js';
import { OPERATOR } from '../../../src/audit/audit-log.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp, TestKey } from '../../support/app.js';
import {
  authorize,
  createBrowser,
  createUser,
  getTokens,
  registerClient,
  type TestUser,
} from '../../support/oauth.js';
import { factsOf, SCOPES, type Environment, type Kind } from './contract.js';
import { createOnce } from './made-once.js';

/** A credential that requests are made with. */
export interface Caller {
  readonly kind: Kind;
  readonly environment: Environment;
  readonly scopes: readonly string[];
  readonly secret: string;
  /** What `/me` has to say of it, but for names and times. */
  readonly shown: Readonly<Record<string, unknown>>;
}

export interface Callers {
  /** The one of this kind that holds just these scopes; made once. */
  get(kind: Kind, environment: Environment, scopes: readonly string[]): Promise<Caller>;
}

/** Makes callers of a tenant, of every kind. */
export async function createCallers(gatehouse: TestApp, tenant: Tenant): Promise<Callers> {
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse);
  const browser = createBrowser({ origin: gatehouse.origin, issuer: gatehouse.config.ISSUER });
  const once = createOnce<Caller>();

  async function make(
    kind: Kind,
    environment: Environment,
    scopes: readonly string[],
  ): Promise<Caller> {
    const { type, principal } = factsOf(kind);
    const common = { type, tenantId: tenant.id, environment, scopes };
    if (kind === 'access_token') {
      const parameters = { scope: scopes.join(' ') };
      const tokens = await getTokens(gatehouse, { client, user, browser, parameters });
      const { client_id: clientId } = client;
      const shown = { ...common, clientId, userId: user.id, role: 'company_admin' };
      return { kind, environment, scopes, secret: tokens.access_token, shown };
    }
    const fields = { kind, environment, scopes };
    const key = await (kind === 'personal'
      ? createPersonalToken(gatehouse, tenant, user, fields)
      : gatehouse.createKey(tenant, fields));
    const ids = { tenant: tenant.id, publishable: tenant.id, user: user.id };
    const id = principal === 'service' || principal === 'agent' ? key.id : ids[principal];
    const shown = { ...common, keyId: key.id, principal: { kind: principal, id } };
    return { kind, environment, scopes, secret: key.secret, shown };
  }

  return {
    get(kind, environment, wanted) {
      const scopes = SCOPES.filter((scope) => wanted.includes(scope));
      const id = [kind, environment, ...scopes].join(' ');
      return once(id, () => make(kind, environment, scopes));
    },
  };
}

/** A personal token as its account would make it in the settings. */
function createPersonalToken(
  { dataSource, keyring, format }: TestApp,
  { id: tenantId }: Tenant,
  { id: accountId }: TestUser,
  fields: object,
): Promise<Pick<TestKey, 'id' | 'secret'>> {
  return dataSource.transaction(async (manager) => {
    const keys = createKeyService({ manager, keyring, format });
    const actor = { ...OPERATOR, id: accountId };
    const parsed = newPersonalToken.parse({ name: 'A token', ...fields });
    const { key, secret } = await keys.create({ actor, tenantId, accountId }, parsed);
    return { id: key.id, secret };
  });
}

/** What is secret and real, or looks like it, and opens no route of the API whatever. */
export async function createStrangers(
  gatehouse: TestApp,
  tenant: Tenant,
): Promise<Readonly<Record<string, string>>> {
  const user = await createUser(gatehouse, [[tenant, 'company_admin']]);
  const client = await registerClient(gatehouse, {
    token_endpoint_auth_method: 'client_secret_post',
  });
  const parameters = { scope: 'openid contacts:read products:read offline_access' };
  const tokens = await getTokens(gatehouse, { client, user, parameters });
  const code = await authorize(gatehouse, { client, user, parameters });
  return {
    'refresh token': tokens.refresh_token ?? '',
    'id token': tokens.id_token ?? '',
    'authorization code': code.searchParams.get('code') ?? '',
    'client secret': client.client_secret ?? '',
    'registration token': client.registration_access_token,
    'device code': gatehouse.format.mint('dc'),
    'key that was never issued': gatehouse.format.mint('live'),
    'publishable key that was never issued': gatehouse.format.mint('pk_live'),
  };
}
