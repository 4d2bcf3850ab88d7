import { maskCredentials } from '../body/text.js';

/** Errors of the API as problem details (RFC 9457). */

/** Every error code of the API with its status, title, and advice for the client's developer. */
export const PROBLEMS = {
  bad_request: {
    status: 400,
    title: 'Bad request',
    advice:
      'The request is malformed: invalid JSON, an altered cursor, two credentials at once. The detail says which. Repeating it unchanged will not help.',
  },
  unauthorized: {
    status: 401,
    title: 'Unauthorized',
    advice:
      'No credential was sent, or it is wrong, revoked, or not allowed from your address. The detail says which header was read and what it lacks. Send the whole credential, in one header.',
  },
  token_expired: {
    status: 401,
    title: 'Credential expired',
    advice: 'The key or token has expired. Use its successor, refresh the token, or sign in again.',
  },
  forbidden: {
    status: 403,
    title: 'Forbidden',
    advice:
      'The credential is valid, but the operation is closed to its kind, would exceed its own authority, or concerns a space that it may not enter.',
  },
  scope_insufficient: {
    status: 403,
    title: 'Insufficient scope',
    advice:
      'The credential lacks a scope. The member required_scopes and the WWW-Authenticate header name the scopes that the operation needs.',
  },
  tenant_suspended: {
    status: 403,
    title: 'Tenant suspended',
    advice: 'The organization is suspended. The operator of this server knows why.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    advice: 'It does not exist, or belongs to somebody else.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    advice: 'The Allow header lists the methods that this path answers.',
  },
  conflict: {
    status: 409,
    title: 'Conflict',
    advice:
      'The request conflicts with the current state, such as changing a revoked key. With Retry-After, an earlier request with the same Idempotency-Key is still running: try again.',
  },
  idempotency_key_reused: {
    status: 409,
    title: 'Idempotency key reused',
    advice: 'An Idempotency-Key stands for one request. Use a new one for each operation.',
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    advice: 'The maximum size of a body is 256 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    advice: 'Send JSON in UTF-8, uncompressed, as application/json.',
  },
  validation_failed: {
    status: 422,
    title: 'Validation failed',
    advice:
      'The member errors lists every invalid member of the body or query, with a code and the reason.',
  },
  rate_limited: {
    status: 429,
    title: 'Rate limit exceeded',
    advice:
      'The tenant, the key, or the app in its share of the tenant, has made as many requests as it may for now. The RateLimit headers say which. Try again after Retry-After seconds.',
  },
  internal_error: {
    status: 500,
    title: 'Internal server error',
    advice: 'The error is internal and was logged. Report the request_id.',
  },
  service_unavailable: {
    status: 503,
    title: 'Service unavailable',
    advice:
      'The service or its database is temporarily unavailable. The operation may or may not have been done: repeat it with the same Idempotency-Key after Retry-After seconds.',
  },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** One invalid member of a request. `field` is a dotted path, empty for the whole body. */
export interface FieldError {
  readonly field: string;
  readonly code: string;
  readonly message: string;
}

interface ProblemOptions {
  /** Headers of the answer, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly FieldError[];
  /** All scopes that the refused operation needs. */
  readonly requiredScopes?: readonly string[];
  /** Replaces the status of the code, for a caller that knows no other. */
  readonly status?: number | undefined;
  /** For the log only; never shown. */
  readonly cause?: unknown;
}

/** An error that is answered to the client. `message` is the public detail. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[] | undefined;
  readonly requiredScopes: readonly string[] | undefined;
  readonly status: number;

  /**
   * @param detail one or two sentences for the client, without internals. Credentials in it are masked, such as one that
   *   was sent as the name of a parameter
   */
  constructor(
    code: ProblemCode,
    detail: string,
    { headers = {}, errors, requiredScopes, status, cause }: ProblemOptions = {},
  ) {
    super(maskCredentials(detail), { cause });
    this.name = 'Problem';
    this.code = code;
    this.headers = headers;
    this.errors = errors?.map(masked);
    this.requiredScopes = requiredScopes;
    this.status = status ?? PROBLEMS[code].status;
  }

  get title(): string {
    return PROBLEMS[this.code].title;
  }

  /**
   * Makes the body of the answer.
   * @param docsUrl the page that explains the codes; the code becomes its fragment
   */
  toBody(docsUrl: string, requestId: string): Record<string, unknown> {
    return {
      type: `${docsUrl}#${this.code}`,
      title: this.title,
      status: this.status,
      detail: this.message,
      code: this.code,
      request_id: requestId,
      ...(this.errors && { errors: this.errors }),
      ...(this.requiredScopes && { required_scopes: this.requiredScopes }),
    };
  }
}

function masked({ field, code, message }: FieldError): FieldError {
  return { field: maskCredentials(field), code, message: maskCredentials(message) };
}

/** A 503 with a `Retry-After` of one second. */
export function serviceUnavailable(cause?: unknown): Problem {
  return new Problem('service_unavailable', 'The service is not available right now. Try again.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
}
