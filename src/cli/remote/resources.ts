import type * as local from '../actions/resources.js';
import type { RemoteActions } from '../backend.js';
import { givenResource, givenResourceChange } from '../given.js';
import { openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  | 'addResource'
  | 'listResources'
  | 'showResource'
  | 'updateResource'
  | 'rotateResource'
  | 'removeResource'
>;

export const addResource: Actions['addResource'] = ({ api }, values) => {
  const { identifier, name } = values;
  return api.send('POST', '/resources', { identifier, name, ...givenResource(values) });
};

export const listResources: Actions['listResources'] = async ({ api }) =>
  openRemoteList(api, '/resources');

export const showResource: Actions['showResource'] = ({ api }, { id }) => api.get(pathOf(id));

export const updateResource: Actions['updateResource'] = async ({ api }, values) =>
  api.send('PATCH', pathOf(values.id), givenResourceChange(values));

export const rotateResource: Actions['rotateResource'] = ({ api }, { id, grace = 0 }) =>
  api.send('POST', `${pathOf(id)}/rotate`, { graceSeconds: grace });

export const removeResource: Actions['removeResource'] = async ({ api }, values) => {
  const { id, reason = null } = values;
  const { credentials: _credentials, ...server } = await api.get<{ credentials: unknown }>(
    pathOf(id),
  );
  await api.send('DELETE', pathOf(id), { reason });
  return { ...server, removed: true, reason };
};

function pathOf(id: string): string {
  return `/resources/${part(id)}`;
}
