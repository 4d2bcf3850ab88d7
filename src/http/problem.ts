/** Errors of the API as problem details (RFC 9457). The public part and the cause are kept apart. */

/** Every code that the API answers with, and the status and title that belong to it. */
export const PROBLEMS = {
  bad_request: { status: 400, title: 'The request cannot be understood' },
  unauthorized: { status: 401, title: 'The credential is missing or not valid' },
  token_expired: { status: 401, title: 'The credential has expired' },
  forbidden: { status: 403, title: 'The credential does not permit this' },
  scope_insufficient: { status: 403, title: 'The credential lacks a scope' },
  tenant_suspended: { status: 403, title: 'The tenant is suspended' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  conflict: { status: 409, title: 'The request conflicts with the present state' },
  idempotency_key_reused: { status: 409, title: 'The idempotency key belongs to another request' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body has a media type that is not supported' },
  validation_failed: { status: 422, title: 'The request holds invalid values' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  service_unavailable: { status: 503, title: 'The service cannot answer right now' },
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
      title: PROBLEMS[this.code].title,
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
