import { z } from 'zod';

/**
 * A text whose length is checked before its content. zod runs all checks of a schema even after one has failed, so a
 * transform or pattern would otherwise run on a text of any length.
 *
 * @param max in UTF-16 code units
 * @param schema parses the text if it is short enough
 */
export function boundedText<Schema extends z.ZodType<unknown, string>>(
  max: number,
  schema: Schema,
  message = `may have ${max} characters`,
) {
  return z.string().max(max, message).pipe(schema);
}

/**
 * A list whose length is checked before its items: zod runs neither items nor later checks of a list that is too long.
 *
 * @param item parses each item if there are few enough
 * @param message replaces the default messages for a value that is not a list or is too long
 */
export function boundedList<Item extends z.ZodType>(max: number, item: Item, message?: string) {
  return z.array(item, message).max(max, message);
}
