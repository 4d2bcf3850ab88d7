import type { z } from 'zod';

import { Misuse } from './command.js';

/**
 * Checks the value of an option.
 * @throws Misuse that names the option
 */
export function parseOption<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Misuse(`--${name}: ${result.error.issues.map(({ message }) => message).join('; ')}`);
}
