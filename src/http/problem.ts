/** Errors of the API as problem details (RFC 9457). The public part and the cause are kept apart. */

/** Every code that the API answers with: its status, its title, and what whoever meets it should do. */
export const PROBLEMS = {
  bad_request: {
    status: 400,
    title: 'The request cannot be understood',
    advice:
      'The request is malformed: invalid JSON, a cursor that was altered, two credentials at once. The detail says which. Sending it again unchanged will not help.',
  },
  unauthorized: {
    status: 401,
    title: 'The credential is missing or not valid',
    advice:
      'No credential was sent, or it is wrong, revoked, or not allowed from your address. Check that you send the whole key, in one header.',
  },
  token_expired: {
    status: 401,
    title: 'The credential has expired',
    advice: 'The key or token was good, but its time is over. Use its successor, or sign in again.',
  },
  forbidden: {
    status: 403,
    title: 'The credential does not permit this',
    advice:
      'The credential is good, but this is not for its kind, would reach further than it does itself, or is in a space that it may not enter.',
  },
  scope_insufficient: {
    status: 403,
    title: 'The credential lacks a scope',
    advice:
      'The credential lacks a scope. The WWW-Authenticate header names those that are needed.',
  },
  tenant_suspended: {
    status: 403,
    title: 'The tenant is suspended',
    advice:
      'The organization that the credential belongs to is suspended. Its administrators know why.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    advice: 'It does not exist, or belongs to somebody else.',
  },
  method_not_allowed: {
    status: 405,
    title: 'The method is not allowed here',
    advice: 'The Allow header lists the methods that this path answers.',
  },
  conflict: {
    status: 409,
    title: 'The request conflicts with the present state',
    advice:
      'What you ask for does not fit the present state, such as changing a revoked key. With Retry-After, an earlier request with the same Idempotency-Key is still running: try again.',
  },
  idempotency_key_reused: {
    status: 409,
    title: 'The idempotency key belongs to another request',
    advice: 'An Idempotency-Key stands for one request. Use a new one for each operation.',
  },
  payload_too_large: {
    status: 413,
    title: 'The body is too large',
    advice: 'A body may have 256 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body has a media type that is not supported',
    advice: 'Send JSON in UTF-8, uncompressed, as application/json.',
  },
  validation_failed: {
    status: 422,
    title: 'The request holds invalid values',
    advice: 'The member errors lists every invalid member with the reason.',
  },
  rate_limited: {
    status: 429,
    title: 'A budget of requests is spent',
    advice:
      'The tenant or the key has made as many requests as it may for now. The RateLimit headers say which budget it is; come back after Retry-After seconds.',
  },
  internal_error: {
    status: 500,
    title: 'Something went wrong on our side',
    advice: 'The fault is ours and was logged. Tell us the request_id.',
  },
  service_unavailable: {
    status: 503,
    title: 'The service cannot answer right now',
    advice:
      'The service or its database is away for a moment. Whether it was done is not certain: repeat it with the same Idempotency-Key after Retry-After seconds.',
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
  /** Headers that belong to the answer, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly errors?: readonly FieldError[];
  /** For the log only; never shown. */
  readonly cause?: unknown;
}

/** An error that is meant for the client. `message` is the public detail. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly errors: readonly FieldError[] | undefined;

  /** @param detail what the client is told: one or two sentences, nothing internal */
  constructor(
    code: ProblemCode,
    detail: string,
    { headers = {}, errors, cause }: ProblemOptions = {},
  ) {
    super(detail, { cause });
    this.name = 'Problem';
    this.code = code;
    this.headers = headers;
    this.errors = errors;
  }

  get title(): string {
    return PROBLEMS[this.code].title;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /**
   * The answer's body.
   * @param docsUrl where the codes are explained; the code becomes its fragment
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
    };
  }
}

/** A 503 that asks the client to come back in a second. */
export function serviceUnavailable(cause?: unknown): Problem {
  return new Problem('service_unavailable', 'The service is not available right now. Try again.', {
    headers: { 'Retry-After': '1' },
    cause,
  });
}
