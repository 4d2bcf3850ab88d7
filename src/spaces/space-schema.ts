import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { text } from '../http/validation.js';

/** The body of requests that create or change a space. */
export const spaceFields = z.strictObject({
  name: text(100).refine((name) => !holdsCredential(name), 'must not contain a credential'),
});
