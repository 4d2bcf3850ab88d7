import { Readable } from 'node:stream';
import type { EntityManager } from 'typeorm';

import { createAuditLog, OPERATOR } from '../../audit/index.js';
import type { Environment } from '../../credentials/kinds.js';
import { readLines } from '../../http/body/input-lines.js';
import { createProductStore, importProducts } from '../../resources/index.js';
import { createSpaceStore, type SpaceContext } from '../../spaces/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';
import { pageOf } from '../listing.js';
import { getTenant } from './tenants.js';

interface SpaceValues {
  readonly tenant: string;
  readonly env: Environment;
  readonly space: string | undefined;
}

export async function importProductsFrom({ manager, input }: CommandContext, values: SpaceValues) {
  const context = await spaceContextOf(manager, values);
  const store = createProductStore(manager);
  const report = await importProducts(readLines(Readable.from([input])), (products) =>
    store.upsert(context, products),
  );
  const { refusals: _refusals, ...counts } = report;
  await createAuditLog(manager).record(OPERATOR, {
    tenantId: context.tenantId,
    action: 'product.import',
    subject: context.spaceId,
    details: { environment: context.environment, ...counts },
  });
  return report;
}

export async function listProducts({ manager }: CommandContext, values: SpaceValues) {
  const context = await spaceContextOf(manager, values);
  const store = createProductStore(manager);
  return {
    async read(page: { readonly limit: number; readonly after: number | undefined }) {
      const { rows } = await store.list(context, page);
      return pageOf(rows, page.limit, ({ id }) => id);
    },
    present: ({ json }: { readonly json: string }) => JSON.parse(json) as object,
  };
}

/** @throws Refused if the tenant has no such space */
async function spaceContextOf(manager: EntityManager, values: SpaceValues): Promise<SpaceContext> {
  const { id: tenantId } = await getTenant(manager, values.tenant);
  const spaces = createSpaceStore(manager);
  const space = await (values.space === undefined
    ? spaces.findDefault(tenantId)
    : spaces.find(tenantId, values.space));
  if (space === undefined) throw new Refused('The tenant has no such space.');
  return { tenantId, environment: values.env, spaceId: space.id };
}
