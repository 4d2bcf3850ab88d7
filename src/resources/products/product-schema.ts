import { z } from 'zod';

import { optional, text, textOfLines } from '../../http/validation.js';

/** The maximum of PostgreSQL's `integer`. */
const MAX_PRICE = 2_147_483_647;

/** An imported product. Absent members are null. */
export const newProduct = z
  .strictObject({
    name: text(200),
    sku: text(100),
    description: optional(textOfLines(2000)),
    unit: optional(text(50)),
    priceCents: optional(z.number().int().min(0).max(MAX_PRICE)),
    currency: optional(z.string().regex(/^[A-Z]{3}$/, 'must be a currency such as USD')),
  })
  .refine(({ priceCents, currency }) => (priceCents === null) === (currency === null), {
    path: ['currency'],
    message: 'goes with a price, and a price with it',
  });

export type ProductFields = Readonly<z.output<typeof newProduct>>;
