import type * as local from '../actions/revoke.js';
import type { RemoteActions } from '../backend.js';
import { Misuse } from '../errors.js';

type Actions = RemoteActions<typeof local, 'revokeSubject'>;

export const revokeSubject: Actions['revokeSubject'] = async ({ api }, values) => {
  const { subject, reason = null } = values;
  if (subject === undefined) {
    throw new Misuse('--issued-before works beside the server only: unset GATEHOUSE_URL there.');
  }
  await api.send('POST', '/revocations', { subject, reason });
  return { subject, revoked: true, reason };
};
