import { RESOURCE_SCOPES, SCOPES } from '../../scopes/catalog.js';
import { ROLES } from '../../scopes/roles.js';

const ULID = '01HZX3V5Q8R2N7K4M6P9T0W1YB';

/** An id of a kind, such as `key`. */
export function idOf(prefix: string): string {
  return `${prefix}_${ULID}`;
}

/** Kinds of ids by the member that holds one, or by the object or path that has a member `id`. */
const PREFIXES: Readonly<Record<string, string>> = {
  account: 'usr',
  accounts: 'usr',
  actor: 'usr',
  blockedInTenants: 'tnt',
  client: 'cli',
  clients: 'cli',
  'connected-apps': 'grt',
  createdBy: 'usr',
  delivery: 'dlv',
  event: 'evt',
  grant: 'grt',
  grants: 'grt',
  key: 'key',
  object: 'key',
  principal: 'tnt',
  'api-keys': 'key',
  'personal-access-tokens': 'key',
  request: 'req',
  resources: 'rsc',
  space: 'spc',
  spaces: 'spc',
  subject: 'key',
  subjects: 'key',
  sub: 'usr',
  tenant: 'tnt',
  tenants: 'tnt',
  user: 'usr',
  webhooks: 'whk',
};

/**
 * The id that a member holds; `undefined` if its name does not tell.
 *
 * @param name such as `tenantId`, `client_id` or `id`
 * @param owner the object or the segment of the path whose `id` it is
 */
export function namedId(name: string, owner: string): string | undefined {
  const of = name === 'id' ? owner : name.replace(/(?:Id|_id)$/, '');
  const prefix = PREFIXES[of];
  return prefix === undefined ? undefined : idOf(prefix);
}

const [scope = SCOPES[0], second = scope] = RESOURCE_SCOPES;

/** Whether objects in a member or path of this name have ids of a known kind. */
export function isCollection(name: string): boolean {
  return PREFIXES[name] !== undefined;
}

/** Values of members by name, or by owner and name. One that its schema refuses is not used. */
export const VALUES: Readonly<Record<string, unknown>> = {
  access_token: 'the-access-token',
  'account.name': 'Ada Lovelace',
  'accounts.name': 'Ada Lovelace',
  action: 'key.create',
  'actor.name': 'Ada Lovelace',
  'actor.type': 'account',
  actor: idOf('usr'),
  address: '203.0.113.7',
  alg: 'ES256',
  allowedIps: ['203.0.113.0/24'],
  attempts: 1,
  aud: 'https://api.example.com/api/v1',
  bindings: null,
  client_id_issued_at: 1_768_469_400,
  client_name: 'Acme Reports',
  client_secret: 'the-client-secret',
  client_uri: 'https://app.example.com',
  clientName: 'Acme Reports',
  clientSecret: 'the-client-secret',
  companyName: 'Acme',
  confirm: 'Acme Reports',
  contacts: ['support@example.com'],
  count: 1,
  credential: 'the-api-key',
  'credentials.id': idOf('rsv'),
  credentials: ['the-api-key'],
  currency: 'USD',
  cursor: null,
  description: 'Ready for use.',
  detail: 'A sentence for the developer.',
  device_code: 'the-device-code',
  durationMs: 84,
  e: 'AQAB',
  email: 'ada@example.com',
  expires_in: 600,
  expiresAt: '2031-01-15T09:30:00.000Z',
  externalId: 'crm-1042',
  'externalIds.account': 'crm-7',
  'externalIds.key': 'erp-1',
  'externalIds.tenant': 'crm-1042',
  firstName: 'Ada',
  graceSeconds: 3600,
  grant_types: ['authorization_code', 'refresh_token'],
  group: 'Contacts',
  has_more: false,
  'history.key': idOf('key'),
  id_token: 'the-id-token',
  identifier: 'https://files.example.com',
  interval: 5,
  iss: 'https://api.example.com',
  jwks_uri: 'https://app.example.com/jwks.json',
  key: 'the-api-key',
  keyName: 'Acme Reports',
  lastName: 'Lovelace',
  lastUsedIp: '203.0.113.7',
  limit: 10_000,
  logo_uri: 'https://app.example.com/logo.png',
  masked: 'acme_live_…1YB',
  maskedKey: 'acme_live_…1YB',
  'memberships.id': `${idOf('usr')}@${idOf('tnt')}`,
  'memberships.name': 'Ada Lovelace',
  metadata: { plan: 'pro' },
  name: 'Acme Reports',
  'object.type': 'key',
  observe: ['contacts'],
  of: 'me',
  outcome: 'accepted',
  password: 'lantern-plum-river-42',
  phone: '+1 555 0100',
  post_logout_redirect_uris: ['https://app.example.com/goodbye'],
  priceCents: 4900,
  'products.name': 'Oak board',
  rateLimitPerMinute: 600,
  reason: 'No longer needed.',
  redirect_uris: ['https://app.example.com/callback'],
  redirectHost: 'app.example.com',
  refresh_token: 'the-refresh-token',
  registration_access_token: 'the-registration-token',
  registration_client_uri: `https://api.example.com/api/v1/oauth/register/${idOf('cli')}`,
  registrationToken: 'the-registration-token',
  remaining: 9958,
  request_uri: 'urn:ietf:params:oauth:request_uri:the-request',
  resetSeconds: 1800,
  response_types: ['code'],
  role: ROLES.at(-1),
  schemes: ['Bearer'],
  scope: `${scope} ${second}`,
  'scopes.description': 'List and read contacts.',
  scopes: [...new Set([scope, second])],
  secret: 'the-secret',
  'session.name': 'Ada Lovelace',
  sku: 'SKU-1042',
  slug: 'acme',
  'spaces.name': 'Berlin',
  status: 200,
  'tenant.name': 'Acme',
  'tenants.name': 'Acme',
  token_type: 'Bearer',
  type: 'key.create',
  types: ['key.*'],
  unit: 'each',
  url: 'https://hooks.example.com/gatehouse',
  'usage.key': idOf('key'),
  used: 42,
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://api.example.com/device',
  verification_uri_complete: 'https://api.example.com/device?user_code=WDJB-MJHT',
  windowSeconds: 3600,
};

/** Members that are `null` in an example if they may be. */
export const ABSENT: ReadonlySet<string> = new Set([
  'blockedAt',
  'cursor',
  'disabledAt',
  'disabledReason',
  'fault',
  'jwkThumbprint',
  'bindings',
  'replaces',
  'revokedAt',
  'suspendedAt',
]);

/** Optional members that an example of a request shows. */
export const SHOWN: ReadonlySet<string> = new Set([
  'client_name',
  'companyName',
  'email',
  'environment',
  'externalId',
  'firstName',
  'graceSeconds',
  'keyId',
  'lastName',
  'metadata',
  'name',
  'reason',
  'scopes',
  'types',
  'url',
]);
