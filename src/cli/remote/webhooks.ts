import { givenChange, givenRedelivery, givenTypes } from '../actions/webhooks.js';
import type * as local from '../actions/webhooks.js';
import type { RemoteActions } from '../backend.js';
import { openRemoteList, part } from './listing.js';

type Actions = RemoteActions<
  typeof local,
  | 'listEvents'
  | 'createWebhook'
  | 'listWebhooks'
  | 'showWebhook'
  | 'updateWebhook'
  | 'listDeliveries'
  | 'testWebhook'
  | 'redeliverWebhook'
  | 'rotateWebhook'
  | 'removeWebhook'
>;

export const listEvents: Actions['listEvents'] = async ({ api }, { tenant, types, after }) => {
  const filter = { tenantId: tenant, types };
  const { read, present } = openRemoteList(api, '/events', filter);
  return {
    // Only the first page begins behind the event; the others at the cursor.
    read: (page) =>
      page.after === undefined ? api.page('/events', { ...filter, after }, page) : read(page),
    present,
  };
};

export const createWebhook: Actions['createWebhook'] = ({ api }, { url, types, tenant = null }) =>
  api.send('POST', '/webhooks', { url, tenantId: tenant, ...givenTypes(types) });

export const listWebhooks: Actions['listWebhooks'] = async ({ api }, { tenant }) =>
  openRemoteList(api, '/webhooks', { tenantId: tenant });

export const showWebhook: Actions['showWebhook'] = ({ api }, { id }) => api.get(pathOf(id));

export const updateWebhook: Actions['updateWebhook'] = ({ api }, values) =>
  api.send('PATCH', pathOf(values.id), givenChange(values));

export const listDeliveries: Actions['listDeliveries'] = async ({ api }, { webhook }) =>
  openRemoteList(api, `${pathOf(webhook)}/deliveries`);

export const testWebhook: Actions['testWebhook'] = ({ api }, { id }) =>
  api.send('POST', `${pathOf(id)}/test`);

export const redeliverWebhook: Actions['redeliverWebhook'] = ({ api }, { id, ...values }) =>
  api.send('POST', `${pathOf(id)}/redeliveries`, givenRedelivery(values));

export const rotateWebhook: Actions['rotateWebhook'] = ({ api }, { id, grace }) =>
  api.send('POST', `${pathOf(id)}/rotate`, grace === undefined ? {} : { graceSeconds: grace });

export const removeWebhook: Actions['removeWebhook'] = async ({ api }, { id }) => {
  const webhook = await api.get<object>(pathOf(id));
  await api.send('DELETE', pathOf(id));
  return { ...webhook, removed: true };
};

function pathOf(id: string): string {
  return `/webhooks/${part(id)}`;
}
