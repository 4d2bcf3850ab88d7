import { ENVIRONMENTS } from '../../credentials/kinds.js';
import type { ImportReport } from '../../resources/index.js';
import { defineCommand, type Command } from '../command.js';
import { defineList } from '../listing.js';
import { oneOf } from '../value-types.js';

const actions = () => import('../actions/products.js');

const SPACE_OPTIONS = {
  tenant: { value: 'TENANT', required: true, summary: 'id or slug of the tenant' },
  env: { value: 'ENV', type: oneOf(ENVIRONMENTS), default: 'live', summary: 'environment' },
  space: { value: 'SPACE', summary: 'id of the space (the default space)' },
} as const;

export const PRODUCT_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'products import',
    summary: 'Imports products from standard input. Products with a known sku are replaced.',
    details:
      'The input has a JSON object on each line: name, sku, and optionally description, unit, priceCents with currency. Invalid lines are reported and left out.',
    options: SPACE_OPTIONS,
    examples: ['cli products import --tenant acme < products.jsonl'],
    readsInput: () => true,
    run: async (context, values) => (await actions()).importProductsFrom(context, values),
    isRefusal: (result) => (result as ImportReport).refused > 0,
  }),
  defineList({
    name: 'products list',
    summary: 'Lists the products of a space, newest first.',
    options: SPACE_OPTIONS,
    examples: ['cli products list --tenant acme --env test'],
    open: async (context, values) => (await actions()).listProducts(context, values),
  }),
];
