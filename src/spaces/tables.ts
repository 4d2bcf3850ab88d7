import { Space } from './space.entity.js';

export const SPACE_ENTITIES = [Space];
