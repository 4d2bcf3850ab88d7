import { filterOf, givenAnnotations } from '../annotations.js';
import type * as local from '../actions/spaces.js';
import type { RemoteActions } from '../backend.js';
import { givenSpaceChange } from '../given.js';
import { annotationParameters, openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  'createSpace' | 'listSpaces' | 'renameSpace' | 'updateSpace'
>;

export const createSpace: Actions['createSpace'] = async ({ api }, values) => {
  const { name, tenant: tenantId } = values;
  return api.send('POST', '/spaces', { tenantId, name, ...givenAnnotations(values) });
};

export const listSpaces: Actions['listSpaces'] = async ({ api }, values) => {
  const filter = annotationParameters(filterOf(values));
  return openRemoteList(api, '/spaces', { tenantId: values.tenant, ...filter });
};

export const renameSpace: Actions['renameSpace'] = ({ api }, { id, tenant: tenantId, name }) =>
  api.send('PATCH', `/spaces/${part(id)}`, { tenantId, name });

export const updateSpace: Actions['updateSpace'] = async ({ api }, values) => {
  const change = givenSpaceChange(values);
  return api.send('PATCH', `/spaces/${part(values.id)}`, { tenantId: values.tenant, ...change });
};
