import { z } from 'zod';

/** Schemas of answers, as JSON. Their objects are strict: an undeclared member is an error. */

/** RFC 3339, in UTC. */
export const time = z.iso.datetime();

const requestId = z.string().regex(/^req_/);

/** The answer of `sendData`. */
export function dataOf<Data extends z.ZodType>(data: Data) {
  return z.strictObject({ data, meta: z.strictObject({ request_id: requestId }) });
}

/** The answer of `sendPage`. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({
    data: z.array(item),
    meta: z.strictObject({
      request_id: requestId,
      pagination: z.strictObject({
        cursor: z.string().nullable(),
        has_more: z.boolean(),
        count: z.int().min(0),
      }),
    }),
  });
}
