import type * as local from '../actions/grants.js';
import type { RemoteActions } from '../backend.js';
import { openRemoteList, part } from './listing.js';

type Actions = RemoteActions<typeof local, 'listGrants' | 'revokeGrants'>;

interface Grant {
  readonly id: string;
  readonly tenantId: string;
  readonly accountId: string;
  readonly clientId: string;
}

export const listGrants: Actions['listGrants'] = async ({ api }, values) => {
  const { email, tenant: tenantId, client: clientId } = values;
  return openRemoteList(api, '/grants', { email, tenantId, clientId });
};

export const revokeGrants: Actions['revokeGrants'] = async ({ api }, values) => {
  const { id, email, tenant: tenantId, client: clientId, reason = null } = values;
  if (id === undefined) {
    return api.send('POST', '/grants/revoke', { email, tenantId, clientId, reason });
  }
  const path = `/grants/${part(id)}`;
  const { tenantId: tenant, accountId, clientId: client } = await api.get<Grant>(path);
  await api.send('DELETE', path, { reason });
  return [{ id, status: 'revoked', tenantId: tenant, accountId, clientId: client, reason }];
};
