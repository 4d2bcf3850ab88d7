import { generateKeyPairSync } from 'node:crypto';
import { availableParallelism } from 'node:os';

import { describe, expect, it } from '@jest/globals';

import { readConfig } from '../src/config.js';
import { StartupError } from '../src/db/startup-error.js';

const KEY = 'a secret key of at least 32 characters';
const OTHER = 'another secret key that is no shorter';
const URL = 'postgres://user:hunter2@db.example.com/gatehouse';
const PRODUCTION = {
  NODE_ENV: 'production',
  DATABASE_URL: URL,
  SECRET_KEYS: KEY,
  ISSUER: 'https://auth.example.com',
};

function faultOf(env: Record<string, string>): string {
  try {
    readConfig(env, '/srv');
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return (error as Error).message;
  }
  return 'none';
}

const SCANNER_KEY = {
  key_identifier: 'key-1',
  key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    type: 'spki',
    format: 'pem',
  }),
};

describe('readConfig', () => {
  it.each([
    'nonsense',
    '[]',
    '{"public_keys":[]}',
    '{"public_keys":[{"key_identifier":"a","key":"b"}]}',
  ])('refuses the SECRET_SCANNING_KEYS %s', (text) => {
    expect(() => readConfig({ SECRET_SCANNING_KEYS: text }, '/srv')).toThrow(
      /SECRET_SCANNING_KEYS must be JSON/,
    );
  });

  it('has a default for every variable', () => {
    expect(readConfig({}, '/srv')).toEqual({
      NODE_ENV: 'development',
      HOST: '127.0.0.1',
      PORT: 3000,
      DRAIN_DELAY_SECONDS: 0,
      REFRESH_GRACE_SECONDS: 60,
      GRANT_MAX_DAYS: 365,
      AUDIT_RETENTION_DAYS: 365,
      SIGN_IN_PROVIDERS: { providers: [], passwordSignIn: true },
      RATE_LIMIT_TENANT_PER_HOUR: 10_000,
      RATE_LIMIT_KEY_PER_MINUTE: 60,
      RATE_LIMIT_TOKEN_SHARE_PERCENT: 20,
      RATE_LIMIT_AUTHORIZE_PER_MINUTE: 60,
      ISSUER: 'http://localhost:3000',
      DATA_DIR: '/srv/.data',
      TOKEN_BRAND: 'bwp',
      BRAND_NAME: 'BuildWorkPro',
      CORS_ALLOWED_ORIGINS: [],
      DATABASE_POOL_SIZE: 10,
      MAX_CONNECTIONS: 5000,
      WORKERS: 1,
      TRUST_PROXY: [],
      REDIRECT_HOSTS_ALLOWED: [],
      CLIENT_DOCUMENT_HOSTS_ALLOWED: [],
      CLIENT_DOCUMENT_HOSTS_DENIED: [],
      OUTBOUND_ALLOW_LOOPBACK: false,
      RATE_LIMIT_REGISTRATION_PER_MINUTE: 20,
      SECRET_SCANNING_KEYS: [],
      LOG_LEVEL: 'info',
      ADMIN_EMAIL: 'admin@example.com',
    });
  });

  it('treats an empty variable as unset', () => {
    const empty = { PORT: '', ISSUER: '', SECRET_KEYS: '', DATABASE_URL: '', TRUST_PROXY: '' };

    expect(readConfig(empty, '/srv')).toEqual(readConfig({}, '/srv'));
  });

  it('reads every variable', () => {
    const config = readConfig(
      {
        ...PRODUCTION,
        HOST: '0.0.0.0',
        PORT: '8080',
        DRAIN_DELAY_SECONDS: '20',
        DATA_DIR: 'var/data',
        SECRET_KEYS: ` ${KEY} , ${OTHER},`,
        TOKEN_BRAND: 'acme2',
        BRAND_NAME: 'Acme',
        BRAND_LOGO: 'https://example.com/logo.svg',
        BRAND_COLOR: '#00AA55',
        BRAND_HELP_URL: 'https://example.com/help',
        BRAND_TERMS_URL: 'https://example.com/terms',
        BRAND_PRIVACY_URL: 'http://localhost/privacy',
        CORS_ALLOWED_ORIGINS: 'https://app.example.com, http://localhost:5173',
        TRUST_PROXY: '10.0.0.0/8, 192.0.2.1,2001:db8::/32',
        REDIRECT_HOSTS_ALLOWED: 'N8N.lan, .internal,intranet',
        CLIENT_DOCUMENT_HOSTS_ALLOWED: 'Claude.ai,.example.com',
        CLIENT_DOCUMENT_HOSTS_DENIED: 'evil.example.com',
        OUTBOUND_ALLOW_LOOPBACK: 'false',
        RATE_LIMIT_REGISTRATION_PER_MINUTE: '50',
        DATABASE_POOL_SIZE: '20',
        MAX_CONNECTIONS: '200',
        WORKERS: '8',
        METRICS_PORT: '9090',
        REFRESH_GRACE_SECONDS: '0',
        GRANT_MAX_DAYS: '30',
        AUDIT_RETENTION_DAYS: '90',
        RATE_LIMIT_TENANT_PER_HOUR: '500',
        RATE_LIMIT_KEY_PER_MINUTE: '0',
        RATE_LIMIT_TOKEN_SHARE_PERCENT: '100',
        RATE_LIMIT_AUTHORIZE_PER_MINUTE: '90',
        LOG_LEVEL: 'debug',
        ADMIN_EMAIL: 'ada@example.com',
        ADMIN_PASSWORD: 'correct horse',
        SECRET_SCANNING_KEYS: JSON.stringify({ public_keys: [SCANNER_KEY] }),
        SOMETHING_ELSE: 'belongs to another program',
      },
      '/srv',
    );

    expect(config).toEqual({
      ...PRODUCTION,
      HOST: '0.0.0.0',
      PORT: 8080,
      DRAIN_DELAY_SECONDS: 20,
      REFRESH_GRACE_SECONDS: 0,
      GRANT_MAX_DAYS: 30,
      AUDIT_RETENTION_DAYS: 90,
      SIGN_IN_PROVIDERS: { providers: [], passwordSignIn: true },
      RATE_LIMIT_TENANT_PER_HOUR: 500,
      RATE_LIMIT_KEY_PER_MINUTE: 0,
      RATE_LIMIT_TOKEN_SHARE_PERCENT: 100,
      RATE_LIMIT_AUTHORIZE_PER_MINUTE: 90,
      DATA_DIR: '/srv/var/data',
      SECRET_KEYS: [KEY, OTHER],
      TOKEN_BRAND: 'acme2',
      BRAND_NAME: 'Acme',
      BRAND_LOGO: 'https://example.com/logo.svg',
      BRAND_COLOR: '#00AA55',
      BRAND_HELP_URL: 'https://example.com/help',
      BRAND_TERMS_URL: 'https://example.com/terms',
      BRAND_PRIVACY_URL: 'http://localhost/privacy',
      CORS_ALLOWED_ORIGINS: ['https://app.example.com', 'http://localhost:5173'],
      TRUST_PROXY: ['10.0.0.0/8', '192.0.2.1', '2001:db8::/32'],
      REDIRECT_HOSTS_ALLOWED: ['n8n.lan', '.internal', 'intranet'],
      CLIENT_DOCUMENT_HOSTS_ALLOWED: ['claude.ai', '.example.com'],
      CLIENT_DOCUMENT_HOSTS_DENIED: ['evil.example.com'],
      OUTBOUND_ALLOW_LOOPBACK: false,
      RATE_LIMIT_REGISTRATION_PER_MINUTE: 50,
      DATABASE_POOL_SIZE: 20,
      MAX_CONNECTIONS: 200,
      WORKERS: 8,
      METRICS_PORT: 9090,
      LOG_LEVEL: 'debug',
      ADMIN_EMAIL: 'ada@example.com',
      ADMIN_PASSWORD: 'correct horse',
      SECRET_SCANNING_KEYS: [SCANNER_KEY],
    });
  });

  it('delays the stop in production only', () => {
    expect(readConfig(PRODUCTION, '/srv').DRAIN_DELAY_SECONDS).toBe(5);
    expect(
      readConfig({ ...PRODUCTION, DRAIN_DELAY_SECONDS: '0' }, '/srv').DRAIN_DELAY_SECONDS,
    ).toBe(0);
    expect(readConfig({ NODE_ENV: 'test' }, '/srv').DRAIN_DELAY_SECONDS).toBe(0);
  });

  it('counts cores for WORKERS=auto, as far as the embedded database has connections', () => {
    const cores = availableParallelism();
    expect(readConfig({ ...PRODUCTION, WORKERS: 'auto' }, '/srv').WORKERS).toBe(cores);
    const embedded = { WORKERS: 'auto', DATABASE_POOL_SIZE: '40' };
    expect(readConfig(embedded, '/srv').WORKERS).toBe(1);
    expect(faultOf({ WORKERS: '7' })).toContain('WORKERS must be 6 at most without DATABASE_URL');
  });

  it('derives the issuer from the port', () => {
    expect(readConfig({ PORT: '4000' }, '/srv').ISSUER).toBe('http://localhost:4000');
    expect(readConfig({ PORT: '443' }, '/srv').ISSUER).toBe('http://localhost:443');
    expect(readConfig({ PORT: '80' }, '/srv').ISSUER).toBe('http://localhost');
  });

  it.each([
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['METRICS_PORT', 'on'],
    ['ISSUER', 'auth.example.com'],
    ['ISSUER', 'https://auth.example.com/'],
    ['ISSUER', 'https://auth.example.com/path'],
    ['ISSUER', 'https://auth.example.com:443'],
    ['ISSUER', 'http://localhost:80'],
    ['DRAIN_DELAY_SECONDS', '301'],
    ['DRAIN_DELAY_SECONDS', '-1'],
    ['DRAIN_DELAY_SECONDS', '5s'],
    ['MAX_CONNECTIONS', '0'],
    ['MAX_CONNECTIONS', 'many'],
    ['WORKERS', '0'],
    ['WORKERS', '257'],
    ['WORKERS', 'all'],
    ['WORKERS', '7'],
    ['ISSUER', 'https://user@auth.example.com'],
    ['ISSUER', 'ftp://auth.example.com'],
    ['DATABASE_URL', 'mysql://db.example.com/gatehouse'],
    ['DATABASE_URL', 'db.example.com'],
    ['DATABASE_URL', 'postgres://u@h:0/d'],
    ['DATABASE_URL', 'postgres://u@h:x/d'],
    ['DATABASE_URL', 'postgres://u@h1,h2,h3/d?port=1,2'],
    ['DATABASE_URL', 'postgres://u@h/d?target_session_attrs=standby'],
    ['DATABASE_URL', 'postgres://u@h/d?target_session_attrs=prefer-standby'],
    ['DATABASE_URL', 'postgres://u@h/d?sslmode=allow'],
    ['DATABASE_URL', 'postgres://u@h/d?sslmode=verify-ca'],
    ['DATABASE_URL', 'postgres://u@h/d?sslmode=verify-full&sslrootcert=/nowhere'],
    ['DATABASE_URL', 'postgres://u@h/d?sslrootcert=/nowhere'],
    ['DATABASE_URL', 'postgres://u@h/d?require_auth=scram-sha-256'],
    ['DATABASE_POOL_SIZE', '3'],
    ['DATABASE_POOL_SIZE', '1001'],
    ['SECRET_KEYS', 'short'],
    ['SECRET_KEYS', `${KEY},short`],
    ['SECRET_KEYS', `${KEY},${KEY}`],
    ['SECRET_KEYS', ' , '],
    ['TOKEN_BRAND', 'b'],
    ['TOKEN_BRAND', 'Bwp'],
    ['TOKEN_BRAND', '1bwp'],
    ['TOKEN_BRAND', 'bwp_live'],
    ['TOKEN_BRAND', 'abcdefghijklmnopq'],
    ['CORS_ALLOWED_ORIGINS', '*'],
    ['CORS_ALLOWED_ORIGINS', 'https://app.example.com/'],
    ['CORS_ALLOWED_ORIGINS', 'https://app.example.com,null'],
    ['REDIRECT_HOSTS_ALLOWED', '192.168.1.5'],
    ['REDIRECT_HOSTS_ALLOWED', '[fd00::1]'],
    ['REDIRECT_HOSTS_ALLOWED', 'https://n8n.lan'],
    ['REDIRECT_HOSTS_ALLOWED', 'n8n.lan:8443'],
    ['REDIRECT_HOSTS_ALLOWED', '*.lan'],
    ['REDIRECT_HOSTS_ALLOWED', '.'],
    ['REDIRECT_HOSTS_ALLOWED', 'n8n..lan'],
    ['CLIENT_DOCUMENT_HOSTS_ALLOWED', 'https://claude.ai'],
    ['CLIENT_DOCUMENT_HOSTS_DENIED', '192.0.2.1'],
    ['RATE_LIMIT_REGISTRATION_PER_MINUTE', '-1'],
    ['RATE_LIMIT_REGISTRATION_PER_MINUTE', '1001'],
    ['RATE_LIMIT_REGISTRATION_PER_MINUTE', ' '],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', '10.0.0.1, loopback'],
    ['TRUST_PROXY', '10.1'],
    ['RATE_LIMIT_TENANT_PER_HOUR', '-1'],
    ['RATE_LIMIT_TENANT_PER_HOUR', 'unlimited'],
    ['RATE_LIMIT_KEY_PER_MINUTE', ' '],
    ['RATE_LIMIT_TOKEN_SHARE_PERCENT', '0'],
    ['RATE_LIMIT_TOKEN_SHARE_PERCENT', '101'],
    ['RATE_LIMIT_TOKEN_SHARE_PERCENT', '20%'],
    ['RATE_LIMIT_KEY_PER_MINUTE', '1.5'],
    ['REFRESH_GRACE_SECONDS', '301'],
    ['REFRESH_GRACE_SECONDS', '-1'],
    ['REFRESH_GRACE_SECONDS', ' '],
    ['REFRESH_GRACE_SECONDS', '1.5'],
    ['GRANT_MAX_DAYS', '0'],
    ['GRANT_MAX_DAYS', '3651'],
    ['GRANT_MAX_DAYS', 'never'],
    ['RATE_LIMIT_AUTHORIZE_PER_MINUTE', '-1'],
    ['OUTBOUND_ALLOW_LOOPBACK', 'yes'],
    ['LOG_LEVEL', 'verbose'],
    ['ADMIN_EMAIL', 'admin'],
    ['ADMIN_PASSWORD', 'short'],
    ['ADMIN_PASSWORD', 'password1234'],
  ])('refuses %s=%s, and names it', (name, value) => {
    const [, faults = ''] = faultOf({ SECRET_KEYS: KEY, [name]: value }).split(' faults: ');

    expect(faults).not.toBe('');
    for (const fault of faults.split('; '))
      expect(fault).toMatch(new RegExp(`^${name} (must|names)`));
  });

  it('names all faults at once, in one line without any secret', () => {
    const message = faultOf({
      PORT: 'http',
      TOKEN_BRAND: 'B',
      SECRET_KEYS: 'hunter2',
      DATABASE_URL: 'mysql://user:hunter2@db.example.com',
      ADMIN_PASSWORD: 'hunter2',
    });

    for (const name of ['PORT', 'TOKEN_BRAND', 'SECRET_KEYS', 'DATABASE_URL', 'ADMIN_PASSWORD']) {
      expect(message).toContain(`${name} must `);
    }
    expect(message).not.toContain('hunter2');
    expect(message).not.toContain('\n');
  });

  describe('in production', () => {
    it('accepts a database, secret keys and an https issuer', () => {
      expect(faultOf(PRODUCTION)).toBe('none');
    });

    it('names everything that is missing', () => {
      const message = faultOf({ NODE_ENV: 'production' });

      for (const name of ['DATABASE_URL', 'SECRET_KEYS', 'ISSUER']) {
        expect(message).toContain(`${name} is required in production`);
      }
    });

    it('refuses an issuer without https', () => {
      expect(faultOf({ ...PRODUCTION, ISSUER: 'http://auth.example.com' })).toContain(
        'ISSUER must be https in production',
      );
    });

    it('refuses requests to this machine', () => {
      const message = faultOf({ ...PRODUCTION, OUTBOUND_ALLOW_LOOPBACK: 'true' });

      expect(message).toContain('OUTBOUND_ALLOW_LOOPBACK must not be true in production');
      expect(faultOf({ ...PRODUCTION, OUTBOUND_ALLOW_LOOPBACK: 'false' })).toBe('none');
    });

    it('names missing variables beside invalid ones', () => {
      const message = faultOf({ NODE_ENV: 'production', PORT: 'http' });

      expect(message).toContain('PORT must be a port number');
      expect(message).toContain('SECRET_KEYS is required in production');
    });
  });

  it('requires secret keys with DATABASE_URL', () => {
    expect(faultOf({ DATABASE_URL: URL })).toContain('SECRET_KEYS is required with DATABASE_URL');
    expect(faultOf({ DATABASE_URL: URL, SECRET_KEYS: KEY })).toBe('none');
  });
});
