import { describe, expect, it } from '@jest/globals';

import { delegableBy, delegableThroughOauth, ROLES } from '../../src/scopes/roles.js';
import { BEYOND, IDENTITY, META, RESOURCE, RESOURCES, WORKFLOW } from './contract.js';

const each = (action: string) => RESOURCES.map((resource) => `${resource}:${action}`);

/** The scopes that each role delegates, apart from the source. Every role also has the OIDC scopes and `offline_access`. */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  company_admin: [...RESOURCE, ...WORKFLOW, ...META, ...BEYOND],
  manager: [...RESOURCE, ...WORKFLOW, 'users:read', 'jobs:read', 'jobs:write'],
  member: [...each('read'), ...each('write'), 'bids:send', 'users:read', 'jobs:read'],
  field_crew: [
    'projects:read',
    'contacts:read',
    'documents:read',
    'products:read',
    'site_logs:read',
    'time_entries:read',
    'site_logs:write',
    'time_entries:write',
    'documents:write',
  ],
  viewer: each('read'),
};
const NEVER_THROUGH_OAUTH = ['api_keys:manage', 'spaces:manage', 'introspect'];
const ORDER = [...RESOURCE, ...WORKFLOW, ...META, ...BEYOND, ...IDENTITY];

describe('the scopes that a role can delegate', () => {
  it('are listed for these roles', () => {
    expect(ROLES).toEqual(Object.keys(TABLE));
  });

  it.each(ROLES)('are those of the table for %s, in the order of the catalogue', (role) => {
    const expected = new Set([...(TABLE[role] ?? []), ...IDENTITY, 'offline_access']);

    expect(delegableBy(role)).toEqual(ORDER.filter((scope) => expected.has(scope)));
  });

  it.each(ROLES)('are the same through OAuth for %s, except scopes for keys only', (role) => {
    const expected = delegableBy(role).filter((scope) => !NEVER_THROUGH_OAUTH.includes(scope));

    expect(delegableThroughOauth(role)).toEqual(expected);
  });

  it('number 42, 37, 23, 9 and 10, from company_admin to viewer', () => {
    const counts = ROLES.map((role) => delegableBy(role).length - 4);

    expect(counts).toEqual([42, 37, 23, 9, 10]);
  });
});
