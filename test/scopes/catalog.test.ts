import { describe, expect, it } from '@jest/globals';

import { scopeFacts, isScope, KEY_SCOPES, SCOPES } from '../../src/scopes/catalog.js';
import { inCatalogOrder, missingFrom } from '../../src/scopes/scope-set.js';
import { createTestApp } from '../support/app/app.js';
import { BEYOND, IDENTITY, META, RESOURCE, WORKFLOW } from './contract.js';

describe('the catalogue of scopes', () => {
  it('contains 30 resource, 4 workflow and 5 meta scopes, 39 in all, and 4 and 3 more', () => {
    expect([RESOURCE, WORKFLOW, META, BEYOND, IDENTITY].map(({ length }) => length)).toEqual([
      30, 4, 5, 4, 3,
    ]);
    expect(SCOPES).toEqual([...RESOURCE, ...WORKFLOW, ...META, ...BEYOND, ...IDENTITY]);
    expect(new Set(SCOPES).size).toBe(46);
  });

  it('lets publishable keys carry two of them', () => {
    expect(SCOPES.filter((scope) => scopeFacts(scope).public)).toEqual([
      'products:read',
      'documents:read',
    ]);
  });

  it('keeps three for keys and three for OAuth', () => {
    const grantedTo = (where: string) =>
      SCOPES.filter((scope) => scopeFacts(scope).grantedTo === where);

    expect(grantedTo('keys')).toEqual(['api_keys:manage', 'spaces:manage', 'introspect']);
    expect(grantedTo('oauth')).toEqual(IDENTITY);
    expect(KEY_SCOPES).toEqual([...RESOURCE, ...WORKFLOW, ...META, ...BEYOND]);
  });

  it('describes each in a sentence', () => {
    for (const scope of SCOPES) {
      expect(scopeFacts(scope).description).toMatch(/^[A-Z].*\.$/);
      expect(scopeFacts(scope).group).toMatch(/^[A-Z]/);
    }
  });

  it('recognizes its own scopes only', () => {
    expect(SCOPES.every(isScope)).toBe(true);
    for (const text of ['', 'contacts', 'contacts:*', 'Contacts:read', 'toString', '__proto__']) {
      expect(isScope(text)).toBe(false);
    }
  });
});

describe('a set of scopes', () => {
  it('is sorted in the order of the catalogue, without duplicates and unknown names', () => {
    const shuffled = ['email', 'leads:read', 'gone:read', 'contacts:delete', 'leads:read'];

    expect(inCatalogOrder(shuffled)).toEqual(['contacts:delete', 'leads:read', 'email']);
    expect(inCatalogOrder([...SCOPES].toReversed())).toEqual(SCOPES);
    expect(inCatalogOrder([])).toEqual([]);
  });

  it('contains nothing by implication', () => {
    for (const wanted of SCOPES) {
      const others = SCOPES.filter((scope) => scope !== wanted);
      expect(missingFrom(others, [wanted])).toEqual([wanted]);
      expect(missingFrom([wanted], [wanted])).toEqual([]);
    }
  });
});

describe('GET /api/v1/scopes', () => {
  it('lists the whole catalogue without a credential', async () => {
    const gatehouse = await createTestApp();

    const answer = await gatehouse.http.get('/api/v1/scopes');

    await gatehouse.close();
    expect(answer.status).toBe(200);
    expect(answer.body.meta).toEqual({
      request_id: answer.headers['x-request-id'],
      pagination: { cursor: null, has_more: false, count: 46 },
    });
    expect(answer.body.data.map(({ name }: { name: string }) => name)).toEqual(SCOPES);
    expect(answer.body.data).toContainEqual({
      name: 'products:read',
      description: 'List and read products.',
      group: 'Products',
      public: true,
      apiKeys: true,
      oauth: true,
    });
    expect(answer.body.data).toContainEqual(
      expect.objectContaining({ name: 'api_keys:manage', apiKeys: true, oauth: false }),
    );
    expect(answer.body.data).toContainEqual(
      expect.objectContaining({ name: 'openid', apiKeys: false, oauth: true }),
    );
  });
});
