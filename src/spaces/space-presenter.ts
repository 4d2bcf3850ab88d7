import { z } from 'zod';

import { time } from '../http/answers.js';
import type { Space } from './space.entity.js';

export const spaceAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  isDefault: z.boolean(),
  createdAt: time,
});

/** Presents a space to clients and operators. */
export function presentSpace({ id, name, isDefault, createdAt }: Space) {
  return { id, name, isDefault, createdAt };
}
