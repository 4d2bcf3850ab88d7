import { Attempt } from './attempt.entity.js';

export const RATE_LIMIT_ENTITIES = [Attempt];
