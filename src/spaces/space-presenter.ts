import type { Space } from './space.entity.js';

/** A space as clients and operators see it. */
export function presentSpace({ id, name, isDefault, createdAt }: Space) {
  return { id, name, isDefault, createdAt };
}
