import { describe, expect, it } from '@jest/globals';

import { misspelledSettings, readConfig } from '../../src/config.js';
import { USUAL_VARIABLES } from '../support/app/usual-variables.js';

const KEY = 'a secret key of at least 32 characters';

function meantBy(name: string, value = 'anything'): string | undefined {
  const found = misspelledSettings({ [name]: value });
  expect(found.length).toBeLessThan(2);
  return found[0]?.meant;
}

describe('misspelled settings', () => {
  it.each([
    ['PROT', 'PORT'],
    ['PORTS', 'PORT'],
    ['port', 'PORT'],
    ['HOTS', 'HOST'],
    ['ISUER', 'ISSUER'],
    ['NODE_EVN', 'NODE_ENV'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATADIR', 'DATA_DIR'],
    ['SECRET_KEY', 'SECRET_KEYS'],
    ['SECRETS_KEY', 'SECRET_KEYS'],
    ['SECRET_KEY_FILE', 'SECRET_KEYS_FILE'],
    ['DATABASE_URL_FILES', 'DATABASE_URL_FILE'],
    ['LOGLEVEL', 'LOG_LEVEL'],
    ['TRUSTED_PROXY', 'TRUST_PROXY'],
    ['TRUST_PROXIES', 'TRUST_PROXY'],
    ['METRIC_PORT', 'METRICS_PORT'],
    ['ADMIN_MAIL', 'ADMIN_EMAIL'],
    ['ADMIN_PASSWD', 'ADMIN_PASSWORD'],
    ['MAX_CONNECTION', 'MAX_CONNECTIONS'],
    ['CORS_ALLOWED_ORIGIN', 'CORS_ALLOWED_ORIGINS'],
    ['CORS_ALLOW_ORIGINS', 'CORS_ALLOWED_ORIGINS'],
    ['REFRESH_GRACE_SECOND', 'REFRESH_GRACE_SECONDS'],
    ['RATE_LIMIT_TENANT_PER_HOURS', 'RATE_LIMIT_TENANT_PER_HOUR'],
    ['RATE_LIMIT_KEYS_PER_MINUTE', 'RATE_LIMIT_KEY_PER_MINUTE'],
  ])('finds %s, meant for %s', (name, meant) => {
    expect(meantBy(name)).toBe(meant);
  });

  it('never reports a setting itself', () => {
    const env = { PORT: '1', SECRET_KEYS: '', SECRET_KEYS_FILE: 'x', TRUST_PROXY: 'wrong' };
    expect(misspelledSettings(env)).toEqual([]);
  });

  it('reports no variable of shells, package managers, runners and platforms', () => {
    const env = Object.fromEntries(USUAL_VARIABLES.map((name) => [name, 'anything']));
    expect(misspelledSettings(env)).toEqual([]);
  });

  it('are reported beside the faults of the configuration', () => {
    const refusal = () => readConfig({ NODE_ENV: 'production', SECRET_KEY: KEY }, '/srv');
    expect(refusal).toThrow('SECRET_KEYS is required in production');
    expect(refusal).toThrow(/\. SECRET_KEY is not read: did you mean SECRET_KEYS\?$/);
  });
});

describe('NODE_ENV', () => {
  it.each(['development', 'test', 'production'])('may be %s', (NODE_ENV) => {
    const env = { NODE_ENV, ISSUER: 'https://auth.example.com', SECRET_KEYS: KEY };
    expect(readConfig({ ...env, DATABASE_URL: 'postgres://db/x' }, '/srv').NODE_ENV).toBe(NODE_ENV);
  });

  it.each(['prod', 'Production', 'PRODUCTION', 'production ', 'staging', 'dev', 'live', ' '])(
    'refuses "%s", so that production protections are not off by mistake',
    (NODE_ENV) => {
      expect(() => readConfig({ NODE_ENV }, '/srv')).toThrow(
        'NODE_ENV must be one of development, test, production',
      );
    },
  );
});
