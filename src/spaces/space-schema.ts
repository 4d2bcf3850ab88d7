import { z } from 'zod';

import { holdsCredential } from '../credentials/secret-format.js';
import { text } from '../http/validation.js';

/** All that can be said of a space, when it is made and later. */
export const spaceFields = z.strictObject({
  name: text(100).refine((name) => !holdsCredential(name), 'must not hold a credential'),
});
