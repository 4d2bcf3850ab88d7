import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

import { readConfig } from '../../src/config.js';
import { providersSchema } from '../../src/sign-in-providers/providers-document.js';
import { writeProviders } from '../support/oauth/sign-in-provider.js';

const entry = {
  id: 'acme',
  name: 'Acme',
  issuer: 'https://sso.acme.com',
  clientId: 'gatehouse',
  clientSecret: 'a secret of the file',
};

const read = (document: unknown, env: Record<string, string> = {}) =>
  readConfig({ SIGN_IN_PROVIDERS: writeProviders(document), ...env }, '/').SIGN_IN_PROVIDERS;

/** The message with which the start is refused. */
function faultsOf(document: unknown): string {
  try {
    read(document);
  } catch (error) {
    return String(error);
  }
  return 'none';
}

describe('SIGN_IN_PROVIDERS', () => {
  it('has the JSON Schema that the guide names', () => {
    const file = 'docs/sign-in-providers.schema.json';
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(providersSchema());
  });

  it('reads providers with their defaults, and secrets from the variables that it names', () => {
    const { clientSecret: _, ...others } = entry;
    const document = { providers: [{ ...others, clientSecretVariable: 'ACME_SECRET' }] };
    expect(read(document, { ACME_SECRET: 'of the environment' }).providers[0]).toMatchObject({
      clientSecret: 'of the environment',
      clientAuthentication: 'client_secret_basic',
      scopes: ['openid', 'profile', 'email'],
      trustedForDomains: [],
      invitationOnly: false,
    });
    expect(readConfig({}, '/').SIGN_IN_PROVIDERS).toEqual({
      providers: [],
      passwordSignIn: true,
    });
    expect(read({ providers: [entry] }).passwordSignIn).toBe(true);
    expect(read({ passwordSignIn: false, providers: [entry] }).passwordSignIn).toBe(false);
    expect(faultsOf({ passwordSignIn: 'no', providers: [entry] })).toContain('passwordSignIn');
    expect(faultsOf({ passwordSignIn: false, providers: [] })).toContain('providers');
  });

  it('reports every fault at once, with its place and without secrets', () => {
    const { clientSecret: _, ...secretless } = entry;
    const message = faultsOf({
      providers: [
        { ...entry, id: 'A B', issuer: 'http://sso.acme.com', domains: ['\u{430}cme.com'] },
        { ...entry, tenant: 'acme', defaultRole: 'boss', networks: ['lan'], more: 1 },
      ],
    });
    for (const place of [
      'providers[0].id',
      'providers[0].issuer',
      'providers[0].domains[0]',
      'providers[1].defaultRole',
      'providers[1].networks[0]',
      'providers[1]: Unrecognized key: "more"',
    ]) {
      expect(message).toContain(place);
    }
    const crossed = faultsOf({
      providers: [
        { ...entry, domains: ['acme.com'], roleClaim: 'groups' },
        { ...entry, domains: ['acme.com'], tenant: 'acme' },
        { ...secretless, id: 'third', issuer: 'https://third.com', invitationOnly: true },
        {
          ...secretless,
          id: 'fourth',
          issuer: 'https://fourth.com',
          clientSecretVariable: 'NOT_SET',
        },
        { ...entry, id: 'fifth', issuer: 'https://fifth.com', clientAuthentication: 'none' },
      ],
    });
    for (const fault of [
      'providers[0].roleClaim: belongs together with roles',
      'providers[1].id: acme exists already',
      'providers[1].issuer: another provider has it',
      'providers[1].domains[0]: another provider has acme.com',
      'providers[1].tenant: needs roles',
      'providers[2].tenant: is required',
      'providers[2].clientSecret: one of',
      'providers[3].clientSecretVariable: NOT_SET is not set',
      'providers[4].clientSecret: is not used',
    ]) {
      expect(crossed).toContain(fault);
    }
    expect(message + crossed).not.toContain(entry.clientSecret);
    expect(faultsOf(`{"clientSecret": "${entry.clientSecret}`)).toMatch(/is not JSON/);
    expect(() => readConfig({ SIGN_IN_PROVIDERS: '/nowhere.json' }, '/')).toThrow(/cannot be read/);
  });
});
