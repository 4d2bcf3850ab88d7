import { z } from 'zod';

import { PROBLEMS, type ProblemCode } from './problem.js';

/** The body of an error of the API (RFC 9457), as JSON. */
export const problemSchema = z
  .strictObject({
    type: z.url(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    request_id: z.string().regex(/^req_/),
    errors: z
      .array(z.strictObject({ field: z.string(), code: z.string(), message: z.string() }))
      .min(1)
      .optional(),
    required_scopes: z.array(z.string()).min(1).optional(),
  })
  .refine(({ code, status }) => PROBLEMS[code].status === status, "the status is not the code's");
