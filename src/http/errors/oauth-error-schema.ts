import { z } from 'zod';

import type { Answers } from '../route-declaration.js';

/** The body of an error of an OAuth endpoint (RFC 6749 §5.2), as JSON. */
const oauthError = z.strictObject({ error: z.string(), error_description: z.string() });

/** The error answers of every OAuth endpoint. */
export const OAUTH_ERRORS: Answers = Object.fromEntries(
  [400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503].map((status) => [status, oauthError]),
);
