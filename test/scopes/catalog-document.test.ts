import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

import { catalogSchema, parseCatalog } from '../../src/scopes/catalog-document.js';

const ADMIN = { name: 'owner', title: 'Owner', sentence: 'Everything.', administers: true };

const faultsOf = (document: unknown) => parseCatalog(JSON.stringify(document)).faults;

describe('the document of a catalogue', () => {
  it('needs one role only, and gets its defaults', () => {
    const { document } = parseCatalog(
      JSON.stringify({ roles: [ADMIN], resources: [{ name: 'parcels', noun: 'parcels' }] }),
    );

    expect(document?.resources).toEqual([
      { name: 'parcels', noun: 'parcels', actions: ['read', 'write', 'delete'], public: [] },
    ]);
    expect(document?.roles).toEqual([{ ...ADMIN, oversees: false, delegates: [] }]);
  });

  it('reports all faults between its members at once, each with its place', () => {
    expect(
      faultsOf({
        resources: [
          { name: 'parcels', noun: 'parcels', actions: ['read'], public: ['write'] },
          { name: 'parcels', noun: 'parcels', actions: ['read'] },
        ],
        scopes: [{ name: 'openid', group: 'Identity', sentence: 'Mine.' }],
        roles: [
          { ...ADMIN, administers: false, delegates: ['parcels:raed', '*:raed', 'audit:read'] },
          { ...ADMIN, administers: false },
        ],
        renamed: { 'parcels:read': 'openid', gone: 'nowhere', former: 'owner' },
      }),
    ).toEqual([
      'resources[1]: parcels:read exists already',
      'scopes[0].name: openid exists already',
      'roles[1].name: owner exists already',
      'resources[0].public: parcels has no action write',
      'roles[0].delegates[0]: parcels:raed is not a scope of this catalogue',
      'roles[0].delegates[1]: *:raed is not a scope of this catalogue',
      'roles: exactly one role administers, not 0',
      'renamed["parcels:read"]: parcels:read still exists',
      'renamed["gone"]: nowhere is neither a scope nor a role of this catalogue',
    ]);
  });

  it('reports all faults of form at once, without their values', () => {
    const faults = faultsOf({
      resources: [{ name: 'Pay Apps', noun: '' }],
      scopes: [{ name: 'a:b:c', group: 'Group', sentence: 'x'.repeat(201), grantedTo: 'some' }],
      roles: [{ ...ADMIN, admin: true }],
    });

    expect(faults.map((fault) => fault.split(': ')[0])).toEqual([
      'resources[0].name',
      'resources[0].noun',
      'scopes[0].name',
      'scopes[0].sentence',
      'scopes[0].grantedTo',
      'roles[0]',
    ]);
    expect(faults.join()).not.toMatch(/Pay Apps|a:b:c/);
  });

  it('reports faults of form and between its members at once', () => {
    const faults = faultsOf({
      resources: [
        { name: 'Parcels', noun: 'parcels' },
        { name: 'Parcels', noun: 'parcels' },
        { name: 'depots', noun: 'depots', actions: ['read'], public: ['write'], colour: 'red' },
        { name: 'depots', noun: 'depots', actions: ['read'] },
      ],
      scopes: [{ name: 'openid', group: 'Identity', sentence: '' }],
      roles: [
        { ...ADMIN, delegates: ['depots:read', 'depots:raed', 5] },
        { ...ADMIN, title: '' },
      ],
      renamed: { gone: 'nowhere', former: 5 },
    });

    const names = ['resources[0].name', 'resources[1].name', 'resources[2]', 'scopes[0].sentence'];
    const places = ['roles[0].delegates[2]', 'roles[1].title', 'renamed.former'];
    expect(faults.slice(0, 7).map((fault) => fault.split(': ')[0])).toEqual([...names, ...places]);
    expect(faults.slice(7)).toEqual([
      'resources[3]: depots:read exists already',
      'scopes[0].name: openid exists already',
      'roles[1].name: owner exists already',
      'resources[2].public: depots has no action write',
      'roles[0].delegates[1]: depots:raed is not a scope of this catalogue',
      'roles: exactly one role administers, not 2',
      'renamed["gone"]: nowhere is neither a scope nor a role of this catalogue',
    ]);
    expect(faults.join()).not.toContain('Parcels');
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"roles": []}',
    '{"__proto__": {}}',
    '"a"',
    'x'.repeat(2 ** 20 + 1),
  ])('is refused without roles or without being an object (%#)', (text) => {
    expect(parseCatalog(text).faults).not.toEqual([]);
  });

  it('has the JSON Schema of the documentation', () => {
    expect(JSON.parse(readFileSync('docs/catalogue.schema.json', 'utf8'))).toEqual(catalogSchema());
  });
});
