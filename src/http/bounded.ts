import { z } from 'zod';

/**
 * Text whose length is checked before its content. zod runs all checks of a schema, also those
 * that follow a failed one, so a transform or a pattern would still run on text of any length.
 *
 * @param max in UTF-16 code units
 * @param schema reads the text if it is short enough
 */
export function boundedText<Schema extends z.ZodType<unknown, string>>(
  max: number,
  schema: Schema,
  message = `may have ${max} characters`,
) {
  return z.string().max(max, message).pipe(schema);
}

/**
 * A list whose length is checked before its items.
 *
 * @param item reads each item if there are few enough
 * @param message for anything but such a list; by default the one of the fault
 */
export function boundedList<Item extends z.ZodType>(max: number, item: Item, message?: string) {
  return z.array(z.unknown(), message).max(max, message).pipe(z.array(item));
}
