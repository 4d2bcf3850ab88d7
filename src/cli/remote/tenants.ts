import { filterOf } from '../annotations.js';
import type * as local from '../actions/tenants.js';
import type { RemoteActions } from '../backend.js';
import { givenTenant, givenTenantChange } from '../given.js';
import { annotationParameters, openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  'createTenant' | 'listTenants' | 'updateTenant' | 'setSuspended'
>;

export const createTenant: Actions['createTenant'] = ({ api }, values) =>
  api.send('POST', '/tenants', givenTenant(values));

export const listTenants: Actions['listTenants'] = async ({ api }, values) =>
  openRemoteList(api, '/tenants', { order: 'slug', ...annotationParameters(filterOf(values)) });

export const updateTenant: Actions['updateTenant'] = async ({ api }, values) =>
  api.send('PATCH', `/tenants/${part(values.tenant)}`, givenTenantChange(values));

export const setSuspended: Actions['setSuspended'] = ({ api }, { tenant }, isSuspended) =>
  api.send('POST', `/tenants/${part(tenant)}/${isSuspended ? 'suspend' : 'resume'}`);
