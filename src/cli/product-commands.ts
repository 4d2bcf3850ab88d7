import { Readable } from 'node:stream';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { ENVIRONMENTS } from '../credentials/kinds.js';
import { readLines } from '../http/body/input-lines.js';
import { importProducts, type ImportReport } from '../resources/products/product-import.js';
import { presentProduct } from '../resources/products/product-presenter.js';
import { createProductStore } from '../resources/products/product-store.js';
import type { SpaceContext } from '../spaces/space-context.js';
import { createSpaceStore } from '../spaces/space-store.js';
import { Refused, type Arguments, type Command } from './command.js';
import { listCommand, pageOf } from './listing.js';
import { parseOption } from './parse-option.js';
import { getTenant } from './tenant-commands.js';

const PLACE = {
  usage: '--tenant TENANT [--env live|test] [--space SPACE]',
  options: { tenant: { type: 'string' }, env: { type: 'string' }, space: { type: 'string' } },
} as const;

export const PRODUCT_COMMANDS: readonly Command[] = [
  {
    name: 'products import',
    usage: `${PLACE.usage} < products`,
    summary:
      'Reads products from standard input, one JSON object a line: name, sku, and if you like description, unit, priceCents with currency. Those with a known sku are replaced; lines that are wrong are reported and left out.',
    options: PLACE.options,
    positionals: [0, 0],
    readsInput: () => true,
    async run({ manager, input }, args) {
      const context = await spaceContextOf(manager, args);
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
    },
    isRefusal: (result) => (result as ImportReport).refused > 0,
  },
  listCommand({
    name: 'products list',
    usage: PLACE.usage,
    summary: 'Lists the products of a space (the default one unless told otherwise), newest first.',
    options: PLACE.options,
    async open({ manager }, args) {
      const context = await spaceContextOf(manager, args);
      const store = createProductStore(manager);
      return {
        async read(page: { limit: number; after: number | undefined }) {
          const { rows } = await store.list(context, page);
          return pageOf(rows, page.limit, ({ id }) => Number(id));
        },
        present: presentProduct,
      };
    },
  }),
];

/** The place that the options mean. */
async function spaceContextOf(manager: EntityManager, args: Arguments): Promise<SpaceContext> {
  const environment = parseOption(
    'env',
    z.enum(ENVIRONMENTS, 'must be live or test'),
    args.option('env') ?? 'live',
  );
  const { id: tenantId } = await getTenant(manager, args.required('tenant'));
  const named = args.option('space');
  const spaces = createSpaceStore(manager);
  const space = await (named === undefined
    ? spaces.findDefault(tenantId)
    : spaces.find(tenantId, named));
  if (space === undefined) throw new Refused('The tenant has no such space.');
  return { tenantId, environment, spaceId: space.id };
}
