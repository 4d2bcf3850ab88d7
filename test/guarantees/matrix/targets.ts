import type { Tenant } from '../../../src/tenants/tenant.entity.js';
import type { TestApp } from '../../support/app/app.js';
import { createProducts } from '../../support/app/products.js';
import { createSpace, defaultSpaceOf } from '../../support/app/spaces.js';
import type { Environment, Kind } from './contract.js';
import { createOnce } from './made-once.js';

/** Whose the thing is that a request names. */
export type Owner = 'own' | 'other environment' | 'other tenant';
export const OWNERS: readonly Owner[] = ['own', 'other environment', 'other tenant'];

/** Things that requests can name, and what to say of them. */
export interface Targets {
  /** The id of one; a fresh one if it will be ended. `undefined` for things that are not known here. */
  find(request: Request, owner: Owner, willEnd: boolean): Promise<string | undefined>;
  /** Body of a request that creates or changes one. */
  bodyOf(request: Request): object;
  /** Every row of the resources that nobody here may touch, as text. */
  untouchable(): Promise<unknown>;
}

interface Request {
  readonly method: string;
  /** As it was declared, such as `/contacts/:id`. */
  readonly path: string;
  readonly kind: Kind;
  readonly environment: Environment;
}

const OTHER: Readonly<Record<Environment, Environment>> = { live: 'test', test: 'live' };
/** Name of rows that callers of other tenants must not read. */
const FOREIGN = 'of another tenant';

/** A scope that a key managed by this kind can hold, even if the manager holds few. */
const handedOnBy = (kind: Kind) => (kind === 'organization' ? 'contacts:read' : 'api_keys:manage');

export async function createTargets(
  gatehouse: TestApp,
  tenant: Tenant,
  stranger: Tenant,
): Promise<Targets> {
  const { database } = gatehouse;
  const once = createOnce<string | undefined>();
  let counter = 0;

  for (const environment of ['live', 'test'] as const) {
    await createProducts(gatehouse, tenant, [{ name: environment, sku: 'A' }], { environment });
    await createProducts(gatehouse, stranger, [{ name: FOREIGN, sku: 'A' }], { environment });
  }

  const make: Record<string, (of: Tenant, where: Environment, kind: Kind) => Promise<string>> = {
    async contacts(of, environment) {
      const [row] = await database.query<{ id: string }>(
        `INSERT INTO contacts (tenant_id, environment, space_id, type, first_name)
         VALUES ($1, $2, $3, 'customer', $4) RETURNING id`,
        [
          of.id,
          environment,
          await defaultSpaceOf(gatehouse, of),
          of === tenant ? environment : FOREIGN,
        ],
      );
      return String(row?.id);
    },
    async products(of, environment) {
      const [row] = await database.query<{ id: string }>(
        'SELECT id FROM products WHERE tenant_id = $1 AND environment = $2',
        [of.id, environment],
      );
      return String(row?.id);
    },
    spaces: (of) => createSpace(gatehouse, of, `Space ${(counter += 1)}`),
    'api-keys': async (of, environment, kind) =>
      (await gatehouse.createKey(of, { environment, scopes: [handedOnBy(kind)] })).id,
  };

  async function find({ path, kind, environment }: Request, owner: Owner, willEnd: boolean) {
    const [, noun = ''] = path.split('/');
    const of = owner === 'other tenant' ? stranger : tenant;
    const where = owner === 'other environment' ? OTHER[environment] : environment;
    // Another tenant's are there from the beginning, and stay.
    const which = owner === 'other tenant' ? [] : [handedOnBy(kind), willEnd ? (counter += 1) : 0];
    const id = [noun, of.id, where, ...which].join(' ');
    return once(id, () => make[noun]?.(of, where, kind));
  }

  // Rows that lists must show, and rows that nobody may touch, exist before the first request.
  for (const environment of ['live', 'test'] as const) {
    for (const noun of Object.keys(make)) {
      const request = { method: 'GET', path: `/${noun}/:id`, kind: 'secret', environment } as const;
      for (const owner of OWNERS) await find(request, owner, false);
    }
  }
  return {
    find,
    bodyOf({ method, path, kind, environment }) {
      const name = `Made ${(counter += 1)}`;
      switch (`${method} ${path}`) {
        case 'POST /contacts':
        case 'PATCH /contacts/:id':
          return { type: 'vendor', firstName: environment };
        case 'POST /api-keys':
          return { name, environment, scopes: [handedOnBy(kind)] };
        case 'POST /api-keys/:id/rotate':
          return {};
        case 'POST /credentials/test':
          return { credential: name };
        default:
          return { name };
      }
    },
    untouchable: () =>
      database.query(
        `SELECT t::text FROM contacts t WHERE first_name IS DISTINCT FROM environment
         UNION ALL SELECT t::text FROM products t
         UNION ALL SELECT t::text FROM spaces t WHERE tenant_id = $1
         UNION ALL SELECT t::text FROM credentials t WHERE tenant_id = $1
         UNION ALL SELECT t::text FROM revocations t JOIN credentials c ON c.id = t.subject
           WHERE c.tenant_id = $1 ORDER BY 1`,
        [stranger.id],
      ),
  };
}
