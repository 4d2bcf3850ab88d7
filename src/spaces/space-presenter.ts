import type { Space } from './space.entity.js';

/** Presents a space to clients and operators. */
export function presentSpace({ id, name, isDefault, createdAt }: Space) {
  return { id, name, isDefault, createdAt };
}
