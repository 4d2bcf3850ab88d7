import type { z } from 'zod';

import { faultsOf, OUR_MESSAGES } from '../http/validation.js';
import { Misuse } from './errors.js';

/**
 * Checks the value of an option.
 * @throws Misuse that names the option
 */
export function parseOption<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const result = schema.safeParse(value, OUR_MESSAGES);
  if (result.success) return result.data;
  const reasons = faultsOf(result.error).map(({ message }) => message);
  throw new Misuse(`--${name}: ${reasons.join('; ')}`);
}
