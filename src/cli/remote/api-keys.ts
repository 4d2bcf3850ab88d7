import { keyFilterOf } from '../actions/api-keys.js';
import type * as local from '../actions/api-keys.js';
import type { RemoteActions } from '../backend.js';
import { givenKey, givenKeyChange } from '../given.js';
import { annotationParameters, openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  'createKey' | 'listKeys' | 'showKey' | 'updateKey' | 'rotateKey' | 'revokeKey'
>;

export const createKey: Actions['createKey'] = async ({ api }, values) =>
  api.send('POST', '/api-keys', {
    tenantId: values.tenant,
    ...(await givenKey(values, (seconds) => api.timeIn(seconds))),
  });

export const listKeys: Actions['listKeys'] = async ({ api }, values) => {
  const { externalId, metadata, ...filter } = keyFilterOf(values);
  const annotations = annotationParameters({ externalId, metadata });
  return openRemoteList(api, '/api-keys', { tenantId: values.tenant, ...filter, ...annotations });
};

export const showKey: Actions['showKey'] = ({ api }, values) => api.get(...placeOf(values));

export const updateKey: Actions['updateKey'] = async ({ api }, values) => {
  const change = await givenKeyChange(values, (seconds) => api.timeIn(seconds));
  return api.send('PATCH', pathOf(values), change);
};

export const rotateKey: Actions['rotateKey'] = ({ api }, values) =>
  api.send('POST', pathOf(values, '/rotate'), { graceSeconds: values.grace ?? 0 });

export const revokeKey: Actions['revokeKey'] = async ({ api, typed }, values) => {
  const { reason = null } = values;
  await api.send('DELETE', pathOf(values), {
    ...(typed !== undefined && { confirm: typed }),
    reason,
  });
  return api.get(...placeOf(values));
};

interface KeyValues {
  readonly id: string;
  readonly tenant: string | undefined;
}

function placeOf({ id, tenant: tenantId }: KeyValues) {
  return [`/api-keys/${part(id)}`, { tenantId }] as const;
}

/** A tenant, if given, must be the key's. */
function pathOf({ id, tenant }: KeyValues, verb = ''): string {
  const query = tenant === undefined ? '' : `?tenantId=${part(tenant)}`;
  return `/api-keys/${part(id)}${verb}${query}`;
}
