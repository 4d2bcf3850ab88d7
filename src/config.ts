import path from 'node:path';
import { z } from 'zod';

import { newPassword } from './accounts/password-policy.js';
import { describeNearMiss, findNearMisses, type NearMiss } from './config/near-misses.js';
import { readScannerKeys } from './config/scanner-keys.js';
import { fileSettingOf, readSecretFiles, SECRET_FILE_SETTINGS } from './config/secret-files.js';
import { countWorkers, faultsOfWorkers, workers } from './config/workers.js';
import { errorMessage } from './db/errors.js';
import { StartupError } from './db/startup-error.js';
import { parseDatabaseUrl } from './db/url.js';
import { isAddressOrNetwork } from './http/networks.js';
import { parseUrl } from './http/url.js';
import { parseMailbox, parseMailServer } from './mail/index.js';
import { CATALOG_SOURCE } from './scopes/catalog.js';
import { readProviders, type ProviderSettings } from './sign-in-providers/providers-document.js';

/** The server's configuration, read once in `main.ts` and `cli.ts`. Nothing else reads the environment. */
export type Config = Readonly<
  Omit<z.output<typeof environment>, 'DRAIN_DELAY_SECONDS' | 'WORKERS' | 'SIGN_IN_PROVIDERS'> & {
    ISSUER: string;
    DATA_DIR: string;
    DRAIN_DELAY_SECONDS: number;
    WORKERS: number;
    SIGN_IN_PROVIDERS: ProviderSettings;
  }
>;

const ENVIRONMENTS = ['development', 'test', 'production'] as const;
/** Defaults by NODE_ENV. In production, a load balancer that polls /readyz every second notices in this time. */
const DRAIN_DELAY_SECONDS = { production: 5, test: 0, development: 0 } as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const port = z.coerce.number('must be a port number').int().min(0).max(65_535);

/** Digits only: a blank would be read as 0, which removes the limit. */
const rateLimit = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number, 0 for no limit')
  .transform(Number);

/** Digits only, like `rateLimit`. */
function wholeNumber(min: number, max: number, unit: string) {
  const fault = `must be a whole number of ${unit} from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, fault)
    .transform(Number)
    .refine((count) => count >= min && count <= max, fault);
}

const yesOrNo = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((text) => text === 'true');

const list = z.string().transform((text) => text.split(',').flatMap((item) => item.trim() || []));

const network = z
  .string()
  .refine(
    isAddressOrNetwork,
    'must be addresses or networks such as 10.0.0.0/8, separated by commas',
  );

/** A host name, or with a leading dot all names below it. Not an IP address. */
const HOST = /^\.?(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)*[a-z](?:[a-z\d-]*[a-z\d])?$/;

const host = z
  .string()
  .toLowerCase()
  .regex(
    HOST,
    'must be host names such as n8n.lan or suffixes such as .lan, never addresses, separated by commas',
  );

const origin = z
  .string()
  .refine(
    (text) => parseUrl(text)?.origin === text,
    'must be an origin such as https://example.com, without a path',
  );

/** A link that pages show. */
const link = z
  .string()
  .refine(
    (text) => /^https?:$/.test(parseUrl(text)?.protocol ?? ''),
    'must be an https or http URL such as https://example.com/help',
  );

/** Messages name the fault and never the URL, which contains a password. */
const databaseUrl = z.string().superRefine((text, context) => {
  try {
    parseDatabaseUrl(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) });
  }
});

/** Messages never contain the URL, which may contain a password. */
const mailServer = z.string().transform((text, context) => {
  try {
    return parseMailServer(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: errorMessage(error) });
    return z.NEVER;
  }
});

const mailbox = z.string().transform((text, context) => {
  const parsed = parseMailbox(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: 'custom', message: 'must be an address, or Name <address>' });
  return z.NEVER;
});

/** The document of public keys that a secret scanning service publishes, such as GitHub's. */
const scannerKeys = z.string().transform((text, context) => {
  try {
    return readScannerKeys(JSON.parse(text));
  } catch {
    context.addIssue({
      code: 'custom',
      message:
        'must be JSON such as {"public_keys":[{"key_identifier":"…","key":"-----BEGIN PUBLIC KEY-----…"}]} with ECDSA keys on P-256',
    });
    return z.NEVER;
  }
});

const environment = z.object({
  NODE_ENV: z
    .enum(ENVIRONMENTS, `must be one of ${ENVIRONMENTS.join(', ')}`)
    .default('development'),
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  ISSUER: origin
    .refine((text) => /^https?:/.test(text), 'must be an http or https origin')
    .optional(),
  DATABASE_URL: databaseUrl.optional(),
  DATABASE_POOL_SIZE: wholeNumber(4, 1000, 'connections').default(10),
  DATA_DIR: z.string().optional(),
  SECRET_KEYS: list
    .pipe(
      z
        .array(
          z.string().min(32, 'must be keys of at least 32 characters each, separated by commas'),
        )
        .min(1, 'must contain at least one key')
        .refine((keys) => new Set(keys).size === keys.length, 'must not contain a key twice'),
    )
    .optional(),
  TOKEN_BRAND: z
    .string()
    .regex(/^[a-z][a-z0-9]{1,15}$/, 'must be 2 to 16 lower-case letters and digits, a letter first')
    .default('bwp'),
  BRAND_NAME: z.string().max(100).default('BuildWorkPro'),
  BRAND_COLOR: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, 'must be a colour such as #1f4fd1')
    .optional(),
  BRAND_LOGO: z.string().optional(),
  BRAND_HELP_URL: link.optional(),
  BRAND_TERMS_URL: link.optional(),
  BRAND_PRIVACY_URL: link.optional(),
  SMTP_URL: mailServer.optional(),
  MAIL_FROM: mailbox.optional(),
  CORS_ALLOWED_ORIGINS: list.pipe(z.array(origin)).default([]),
  TRUST_PROXY: list.pipe(z.array(network)).default([]),
  REDIRECT_HOSTS_ALLOWED: list.pipe(z.array(host)).default([]),
  CLIENT_DOCUMENT_HOSTS_ALLOWED: list.pipe(z.array(host)).default([]),
  CLIENT_DOCUMENT_HOSTS_DENIED: list.pipe(z.array(host)).default([]),
  OUTBOUND_ALLOW_LOOPBACK: yesOrNo.default(false),
  CATALOG_FILE: z.string().optional(),
  SIGN_IN_PROVIDERS: z.string().optional(),
  METRICS_PORT: port.optional(),
  DRAIN_DELAY_SECONDS: wholeNumber(0, 300, 'seconds').optional(),
  MAX_CONNECTIONS: wholeNumber(1, 100_000, 'connections').default(5000),
  WORKERS: workers.default(1),
  REFRESH_GRACE_SECONDS: wholeNumber(0, 300, 'seconds').default(60),
  AUDIT_RETENTION_DAYS: wholeNumber(1, 36_500, 'days').default(365),
  GRANT_MAX_DAYS: wholeNumber(1, 3650, 'days').default(365),
  RATE_LIMIT_TENANT_PER_HOUR: rateLimit.default(10_000),
  RATE_LIMIT_KEY_PER_MINUTE: rateLimit.default(60),
  RATE_LIMIT_TOKEN_SHARE_PERCENT: z
    .string()
    .regex(/^([1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .default(20),
  RATE_LIMIT_REGISTRATION_PER_MINUTE: rateLimit
    .refine((limit) => limit <= 1000, 'must be 1000 at most, 0 for no limit')
    .default(20),
  RATE_LIMIT_AUTHORIZE_PER_MINUTE: rateLimit.default(60),
  SECRET_SCANNING_KEYS: scannerKeys.default([]),
  LOG_LEVEL: z.enum(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`).default('info'),
  ADMIN_EMAIL: z.email('must be an email address').default('admin@example.com'),
  ADMIN_PASSWORD: newPassword.optional(),
});

/** The names of all variables that the configuration reads. */
export const SETTINGS: readonly string[] = [
  ...Object.keys(environment.shape),
  ...SECRET_FILE_SETTINGS,
];

/** Environment variables, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The faults of the catalogue, which was read when the process started. */
function catalogFaults({ CATALOG_FILE }: Environment): readonly string[] {
  const { file, faults } = CATALOG_SOURCE;
  if (CATALOG_FILE !== undefined && CATALOG_FILE !== file) {
    return ['CATALOG_FILE must be set before the process starts'];
  }
  return faults.map((fault) => `CATALOG_FILE (${file}) ${fault}`);
}

/** Requirements of NODE_ENV, reported in addition to other faults. */
function unmetRequirements(env: Environment): readonly string[] {
  const isGiven = (name: string) => (env[name] ?? env[fileSettingOf(name)]) !== undefined;
  const requires = (why: string, ...names: readonly string[]) =>
    names.filter((name) => !isGiven(name)).map((name) => `${name} is required ${why}`);

  if (env['NODE_ENV'] === 'production') {
    const isInsecure = env['ISSUER'] !== undefined && !env['ISSUER'].startsWith('https://');
    return [
      ...requires('in production', 'DATABASE_URL', 'SECRET_KEYS', 'ISSUER'),
      ...(isInsecure ? ['ISSUER must be https in production'] : []),
      ...(env['OUTBOUND_ALLOW_LOOPBACK'] === 'true'
        ? ['OUTBOUND_ALLOW_LOOPBACK must not be true in production']
        : []),
    ];
  }
  return isGiven('DATABASE_URL') ? requires('with DATABASE_URL', 'SECRET_KEYS') : [];
}

/** Variables that are not read and look like misspelled settings. */
export function misspelledSettings(env: Environment): readonly NearMiss[] {
  return findNearMisses(env, SETTINGS);
}

/**
 * The variables with the contents of secret files instead of their names. A process that is started later with them
 * reads no file, so that it has the same configuration.
 */
export function withoutSecretFiles(env: Environment, root: string): Environment {
  const secrets = readSecretFiles(withoutEmpty(env), root);
  return { ...secrets.env, ...Object.fromEntries(SECRET_FILE_SETTINGS.map((name) => [name, ''])) };
}

function withoutEmpty(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}

/**
 * Reads the configuration from environment variables, and secrets also from files. An empty variable counts as unset.
 *
 * @param env the variables, `process.env` in production code
 * @param root the base of relative paths
 * @throws StartupError whose message names every fault at once
 */
export function readConfig(env: Environment, root: string): Config {
  const given = withoutEmpty(env);
  const secrets = readSecretFiles(given, root);
  const result = environment.safeParse(secrets.env, { reportInput: false });
  const providers = readProviders(given, root);
  const faults = new Set([
    ...secrets.faults,
    ...(result.error?.issues ?? []).map((issue) => {
      const name = String(issue.path[0]);
      const isFromFile = given[name] !== secrets.env[name];
      return `${name}${isFromFile ? ` (from ${fileSettingOf(name)})` : ''} ${issue.message}`;
    }),
    ...unmetRequirements(given),
    ...catalogFaults(given),
    ...providers.faults,
    ...(result.success ? faultsOfWorkers(result.data) : []),
  ]);
  if (!result.success || faults.size > 0) {
    const hints = misspelledSettings(env).map((miss) => ` ${describeNearMiss(miss)}`);
    throw new StartupError(
      `Cannot start, the configuration has faults: ${[...faults].join('; ')}.${hints.join('')}`,
    );
  }
  return {
    ...result.data,
    // Follows PORT, so that an instance on another port has the right issuer. An origin omits its scheme's default port
    // (RFC 6454 §6.1).
    ISSUER: result.data.ISSUER ?? new URL(`http://localhost:${result.data.PORT}`).origin,
    DRAIN_DELAY_SECONDS:
      result.data.DRAIN_DELAY_SECONDS ?? DRAIN_DELAY_SECONDS[result.data.NODE_ENV],
    DATA_DIR: path.resolve(root, result.data.DATA_DIR ?? '.data'),
    WORKERS: countWorkers(result.data),
    SIGN_IN_PROVIDERS: providers.settings,
  };
}
