import type { Scope } from '../../../src/scopes/catalog.js';
import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp } from '../../support/app/app.js';
import { createCredential } from '../../support/app/credentials.js';
import {
  authorize,
  createBrowser,
  createUser,
  getTokens,
  registerClient,
} from '../../support/oauth/oauth.js';
import { factsOf, SCOPES, type Environment, type Kind } from './contract.js';
import { createOnce } from './made-once.js';

/** A credential that requests are made with. */
export interface Caller {
  readonly kind: Kind;
  readonly environment: Environment;
  readonly scopes: readonly string[];
  readonly secret: string;
  /** Required answer of `/me`, except for names and times. */
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
      ? createCredential(gatehouse, tenant, kind, scopes as Scope[], environment)
      : gatehouse.createKey(tenant, fields));
    const account = 'principalId' in key ? key.principalId : user.id;
    const ids = { tenant: tenant.id, publishable: tenant.id, user: account };
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

/** Real secrets, and texts that look like one, which open no route of the API. */
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
