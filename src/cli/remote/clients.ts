import type * as local from '../actions/clients.js';
import type { RemoteActions } from '../backend.js';
import type { RemoteContext } from '../context.js';
import { openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  | 'listClients'
  | 'showClient'
  | 'revokeClient'
  | 'setBlocked'
  | 'setVerified'
  | 'setRequiresPushedRequests'
>;

interface Client {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly status: string;
  readonly verified: boolean;
  readonly createdAt: string;
}

export const listClients: Actions['listClients'] = async ({ api }) =>
  openRemoteList(api, '/clients');

export const showClient: Actions['showClient'] = ({ api }, { id }) => api.get(pathOf(id));

export const revokeClient: Actions['revokeClient'] = async ({ api }, { id, reason = null }) => {
  const client = await api.send<Client>('POST', `${pathOf(id)}/revoke`, { reason });
  const { id: known, name, type, status, verified, createdAt } = client;
  return { id: known, name, type, status, verified, createdAt, revoked: true, reason };
};

export const setBlocked: Actions['setBlocked'] = ({ api }, values, isBlocked) => {
  const { id, tenant: tenantId = null, reason = null } = values;
  return api.send('POST', `${pathOf(id)}/${isBlocked ? 'block' : 'unblock'}`, { tenantId, reason });
};

export const setVerified: Actions['setVerified'] = ({ api }, { id }, verified) =>
  change(api, id, { verified });

export const setRequiresPushedRequests: Actions['setRequiresPushedRequests'] = (
  { api },
  { id },
  requiresPushedRequests,
) => change(api, id, { requiresPushedRequests });

function change(api: RemoteContext['api'], id: string, members: object) {
  return api.send('PATCH', pathOf(id), members);
}

function pathOf(id: string): string {
  return `/clients/${part(id)}`;
}
