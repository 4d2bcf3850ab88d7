import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

import { isAddressOrNetwork } from '../http/networks.js';
import { parseUrl } from '../http/url.js';
import { ROLES } from '../scopes/roles.js';

const MAX_BYTES = 256 * 1024;
const MAX_PROVIDERS = 20;
const MAX_DOMAINS = 200;
const MAX_ROLES = 200;

const words = (max: number) => z.string().trim().min(1).max(max);

/** ASCII only, in lower case: a name that looks like another one is another text. */
const domain = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(
    /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+[a-z][a-z\d-]*[a-z\d]$/,
    'must be a domain such as acme.com, in its ASCII form',
  );
const domains = z
  .array(domain)
  .max(MAX_DOMAINS)
  .default([])
  .transform((all): readonly string[] => all);

const issuer = z.string().refine(isIssuer, 'must be an https URL without query and fragment');

const variable = z
  .string()
  .regex(/^[A-Z_][A-Z\d_]{0,99}$/, 'must be the name of an environment variable')
  .describe('Environment variable that holds the client secret. Better than the secret itself.');

const network = z
  .string()
  .refine(isAddressOrNetwork, 'must be an address or a network such as 10.2.0.0/16');

const claim = z
  .union([words(200), z.array(words(200)).min(1).max(5)])
  .transform((path): readonly string[] => [path].flat());

const role = z.string().refine((name) => ROLES.includes(name), 'must be a role of the catalogue');

const provider = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z\d][a-z\d-]{0,39}$/, 'must be lower-case letters, digits and -, such as acme')
    .describe('Part of the redirect URI. Never change it.'),
  name: words(60).describe('Shown on the button “Continue with …”.'),
  issuer: issuer.describe('Exactly as in the provider’s discovery document.'),
  clientId: words(500),
  clientSecret: words(2000).optional(),
  clientSecretVariable: variable.optional(),
  clientAuthentication: z
    .enum(['client_secret_basic', 'client_secret_post', 'none'])
    .default('client_secret_basic')
    .describe('Method at the token endpoint. `none` is a public client, protected by PKCE.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be a scope'))
    .max(50)
    .default(['openid', 'profile', 'email'])
    .describe('`openid` is always asked for.'),
  networks: z
    .array(network)
    .max(20)
    .default([])
    .describe('Private addresses that the provider may have. By default its addresses are public.'),
  domains: domains.describe('Who types an email address of these domains is sent here.'),
  trustedForDomains: domains.describe(
    'Domains whose verified addresses are believed: they link to an existing account the first time.',
  ),
  emailVerifiedClaim: words(200)
    .default('email_verified')
    .describe('Claim that says that the address is verified. `xms_edov` for Entra ID.'),
  tenant: words(100)
    .optional()
    .describe('Id or slug of the organization that users join when they first sign in.'),
  invitationOnly: z
    .boolean()
    .default(false)
    .describe('Users join the organization only if they were invited.'),
  roleClaim: claim
    .optional()
    .describe('Claim that holds roles or groups. A list is a path, such as realm_access, roles.'),
  roles: z
    .array(z.strictObject({ value: words(300), role }))
    .max(MAX_ROLES)
    .default([])
    .describe('Roles for values of the claim. The first one that fits counts.'),
  defaultRole: role.optional().describe('Role if no value of the claim fits.'),
});

const document = z.strictObject({
  $schema: z.string().optional(),
  passwordSignIn: z
    .boolean()
    .default(true)
    .describe(
      'Whether people may sign in with passwords, too. `false` for the whole installation.',
    ),
  providers: z.array(provider).min(1).max(MAX_PROVIDERS),
});

type ProvidersDocument = z.output<typeof document>;

/** JSON Schema (2020-12) of the file. `docs/sign-in-providers.schema.json` is a copy of it. */
export function providersSchema(): object {
  return { ...z.toJSONSchema(document, { io: 'input' }), title: 'Sign-in providers' };
}

/** A provider, with its client secret wherever that came from. */
export type ProviderEntry = Omit<
  ProvidersDocument['providers'][number],
  'clientSecretVariable' | 'clientSecret'
> & { readonly clientSecret: string | undefined };

/** The providers that people sign in with, beside passwords. */
export interface ProviderSettings {
  readonly providers: readonly ProviderEntry[];
  /** Whether passwords are accepted. */
  readonly passwordSignIn: boolean;
}

/** Without the file: passwords only. */
const NO_PROVIDERS: ProviderSettings = { providers: [], passwordSignIn: true };

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings, and all faults with their place in the file. With faults there are no providers. */
interface ReadProviders {
  readonly settings: ProviderSettings;
  readonly faults: readonly string[];
}

/**
 * Reads and checks the file that `SIGN_IN_PROVIDERS` names.
 * @param env also holds the client secrets that the file names
 * @param root the base of a relative path
 * @returns every fault at once, such as `providers[0].roles[1].role: must be a role of the catalogue`; never a secret
 */
export function readProviders(
  { SIGN_IN_PROVIDERS: file, ...env }: Environment,
  root: string,
): ReadProviders {
  if (file === undefined) return { settings: NO_PROVIDERS, faults: [] };
  const { settings = NO_PROVIDERS, faults } = parseFile(path.resolve(root, file), env);
  return { settings, faults: faults.map((fault) => `SIGN_IN_PROVIDERS (${file}) ${fault}`) };
}

function parseFile(
  file: string,
  env: Environment,
): Pick<ReadProviders, 'faults'> & Partial<ReadProviders> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { faults: [`cannot be read (${(error as NodeJS.ErrnoException).code})`] };
  }
  if (text.length > MAX_BYTES) return { faults: ['is larger than 256 KiB'] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message of the parser quotes the file, which may hold secrets.
    return { faults: ['is not JSON'] };
  }
  const parsed = document.safeParse(value, { reportInput: false, jitless: true });
  if (!parsed.success) return { faults: parsed.error.issues.map(describe) };
  const faults = parsed.data.providers.flatMap((entry, index, all) =>
    faultsOf(entry, all.slice(0, index), env).map((fault) => `providers[${index}].${fault}`),
  );
  if (faults.length > 0) return { faults };
  const { providers, passwordSignIn } = parsed.data;
  const withSecrets = providers.map(({ clientSecretVariable, ...entry }) => ({
    ...entry,
    clientSecret:
      clientSecretVariable === undefined ? entry.clientSecret : env[clientSecretVariable],
  }));
  return { settings: { providers: withSecrets, passwordSignIn }, faults: [] };
}

/** Describes a fault with its place, such as `providers[2].name: is too long`. */
function describe({ path: parts, message }: z.core.$ZodIssue): string {
  const place = parts
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '');
  return place === '' ? message : `${place}: ${message}`;
}

type Entry = ProvidersDocument['providers'][number];

/** The faults between members of an entry, and with the entries before it. */
function faultsOf(entry: Entry, before: readonly Entry[], env: Environment): readonly string[] {
  const isTaken = (member: 'id' | 'issuer') =>
    before.some((other) => other[member] === entry[member]);
  const takenDomains = new Set(before.flatMap((other) => other.domains));
  const grantsRole = entry.roles.length > 0 || entry.defaultRole !== undefined;
  const faults: readonly (readonly [isFault: boolean, fault: string])[] = [
    [isTaken('id'), `id: ${entry.id} exists already`],
    [isTaken('issuer'), 'issuer: another provider has it'],
    ...entry.domains.map(
      (name, at) =>
        [takenDomains.has(name), `domains[${at}]: another provider has ${name}`] as const,
    ),
    ...secretFaults(entry, env),
    [
      (entry.roleClaim === undefined) !== (entry.roles.length === 0),
      'roleClaim: belongs together with roles',
    ],
    [
      entry.tenant === undefined && (grantsRole || entry.invitationOnly),
      'tenant: is required with roles, defaultRole or invitationOnly',
    ],
    [
      entry.tenant !== undefined && !grantsRole && !entry.invitationOnly,
      'tenant: needs roles, defaultRole or invitationOnly',
    ],
  ];
  return faults.flatMap(([isFault, fault]) => (isFault ? [fault] : []));
}

function secretFaults(
  { clientAuthentication, clientSecret, clientSecretVariable }: Entry,
  env: Environment,
): readonly (readonly [boolean, string])[] {
  const given = [clientSecret, clientSecretVariable].filter((value) => value !== undefined).length;
  const isPublic = clientAuthentication === 'none';
  return [
    [isPublic && given > 0, 'clientSecret: is not used with clientAuthentication none'],
    [!isPublic && given !== 1, 'clientSecret: one of clientSecret and clientSecretVariable'],
    [
      clientSecretVariable !== undefined && (env[clientSecretVariable] ?? '') === '',
      `clientSecretVariable: ${clientSecretVariable} is not set`,
    ],
  ];
}

/** OpenID Connect Discovery 1.0 §3: https, no query, no fragment. http for this machine only. */
function isIssuer(text: string): boolean {
  const url = parseUrl(text);
  if (url === undefined || /[?#]/.test(text) || url.username !== '' || url.password !== '') {
    return false;
  }
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
}
