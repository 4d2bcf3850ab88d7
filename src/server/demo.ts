import { randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';

import { createAccountStore } from '../accounts/index.js';
import { createKeyService, newKey } from '../api-keys/index.js';
import { createAuditLog, OPERATOR } from '../audit/index.js';
import type { Config } from '../config.js';
import { createSecretFormat, type Keyring } from '../credentials/index.js';
import { createProductStore, newProduct } from '../resources/index.js';
import { KEY_SCOPES } from '../scopes/catalog.js';
import { createSpaceStore } from '../spaces/index.js';
import { createTenantStore } from '../tenants/index.js';
import { ADMINISTRATOR } from '../scopes/roles.js';

/** The demo data of a first start, shown once. */
export interface Demo {
  readonly email: string;
  /** The generated password; `undefined` if `ADMIN_PASSWORD` was set. */
  readonly password: string | undefined;
  readonly key: string;
}

const PRODUCTS = [
  {
    name: 'Ready-mix concrete, 4000 psi',
    sku: 'CON-4000',
    description: 'Delivered within 20 miles of the plant, 5 cubic yards at least.',
    unit: 'cubic yard',
    priceCents: 16850,
    currency: 'USD',
  },
  {
    name: 'Framing lumber 2 × 4 in, 8 ft',
    sku: 'LUM-2X4-8',
    description: 'Spruce, kiln-dried, stud grade.',
    unit: 'each',
    priceCents: 425,
    currency: 'USD',
  },
  {
    name: 'Gypsum board ½ in, 4 × 8 ft',
    sku: 'GYP-12-4X8',
    unit: 'sheet',
    priceCents: 1580,
    currency: 'USD',
  },
];

/**
 * Fills an empty database with the tenant `demo`, an administrator, one API key and a few products.
 *
 * @returns `undefined` if the database was not empty
 */
export async function createDemo(
  dataSource: DataSource,
  keyring: Keyring,
  config: Config,
): Promise<Demo | undefined> {
  return dataSource.transaction(async (manager) => {
    const tenants = createTenantStore(manager);
    const { found } = await tenants.list({ limit: 1, after: undefined, order: 'slug' });
    if (found.length > 0) return undefined;
    const tenant = await tenants.create({ slug: 'demo', name: 'Demo' });
    if (tenant === undefined) return undefined;
    await createAuditLog(manager).record(OPERATOR, {
      tenantId: tenant.id,
      action: 'tenant.create',
      subject: tenant.id,
      details: { slug: tenant.slug, name: tenant.name },
    });

    const accounts = createAccountStore(manager);
    const email = config.ADMIN_EMAIL;
    const generated = randomBytes(12).toString('base64url');
    const account = await accounts.create({
      email,
      name: 'Administrator',
      password: config.ADMIN_PASSWORD ?? generated,
    });
    await accounts.join(tenant.id, account.id, ADMINISTRATOR);

    const format = createSecretFormat({ brand: config.TOKEN_BRAND });
    const keys = createKeyService({
      manager,
      keyring,
      format,
      defaultRateLimit: config.RATE_LIMIT_KEY_PER_MINUTE,
    });
    const minted = await keys.create(
      { actor: OPERATOR, tenantId: tenant.id },
      newKey.parse({ name: 'First key', scopes: KEY_SCOPES }),
    );
    await createProducts(manager, tenant.id);
    const password = config.ADMIN_PASSWORD === undefined ? generated : undefined;
    await manager.query(
      `INSERT INTO first_start (tenant_id, email, key_id, has_unknown_password) VALUES ($1, $2, $3, $4)`,
      [tenant.id, email, minted.key.id, password !== undefined],
    );
    return { email, password, key: minted.secret };
  });
}

/** The demo of a first start that was killed before it showed its greeting. */
export interface Unshown {
  readonly slug: string;
  readonly email: string;
  readonly keyId: string;
  readonly hasUnknownPassword: boolean;
}

/** @param dataSource no server may be creating a demo at the same time */
export async function findUnshown(dataSource: DataSource): Promise<Unshown | undefined> {
  const [found] = await dataSource.query<Unshown[]>(
    `SELECT t.slug, f.email, f.key_id AS "keyId", f.has_unknown_password AS "hasUnknownPassword"
     FROM first_start f JOIN tenants t ON t.id = f.tenant_id WHERE f.shown_at IS NULL`,
  );
  return found;
}

/** Records that the greeting or the reminder was written. */
export async function noteShown(dataSource: DataSource): Promise<void> {
  await dataSource.query(
    'UPDATE first_start SET shown_at = gatehouse_now() WHERE shown_at IS NULL',
  );
}

async function createProducts(manager: EntityManager, tenantId: string): Promise<void> {
  const space = await createSpaceStore(manager).findDefault(tenantId);
  if (space === undefined) return;
  const context = { tenantId, environment: 'live', spaceId: space.id } as const;
  const products = PRODUCTS.map((product) => newProduct.parse(product));
  await createProductStore(manager).upsert(context, products);
}

/**
 * The greeting after a first start: the address, the credentials, and what to try.
 *
 * @param url the server's origin
 */
export function greeting(demo: Demo, url: string): string {
  return `
  Gatehouse is ready at ${url}

  Administrator   ${demo.email}
  Password        ${demo.password ?? '(the one from ADMIN_PASSWORD)'}
  API key         ${demo.key}

  They are shown this once. Ask the API who the key is:

  curl -H "Authorization: Bearer ${demo.key}" ${url}/api/v1/me

`;
}

/** The reminder after a first start that was killed before its greeting. */
export function reminder({ slug, email, keyId, hasUnknownPassword }: Unshown): string {
  const password = `set a password with \`npm run -s cli -- accounts set-password --email ${email} --password-stdin\``;
  const key = `make a key with \`npm run -s cli -- api-keys create --tenant ${slug} --name "First key" --scopes contacts:read\``;
  const lost = hasUnknownPassword ? `password of ${email} and its API key` : 'API key';
  const how = hasUnknownPassword ? `${password}, and ${key}` : key;
  return `
  The first start ended before it had shown the ${lost} (${keyId}): ${how}.

`;
}
