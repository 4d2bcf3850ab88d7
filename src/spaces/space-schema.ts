import { z } from 'zod';

import { text } from '../http/validation.js';

/** All that can be said of a space, when it is made and later. */
export const spaceFields = z.strictObject({ name: text(100) });
