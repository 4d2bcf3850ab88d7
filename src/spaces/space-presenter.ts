import { z } from 'zod';

import { annotationAnswer, presentAnnotations } from '../http/annotations.js';
import { time } from '../http/answers.js';
import type { Space } from './space.entity.js';

export const spaceAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  isDefault: z.boolean(),
  createdAt: time,
  ...annotationAnswer,
});

/** Presents a space to clients and operators. Lists are written with the same members (`SPACES` of `space-page.ts`). */
export function presentSpace(space: Space) {
  const { id, name, isDefault, createdAt } = space;
  return { id, name, isDefault, createdAt, ...presentAnnotations(space) };
}
