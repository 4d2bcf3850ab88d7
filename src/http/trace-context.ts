import type { IncomingMessage } from 'node:http';

/** The caller's place in a distributed trace (W3C Trace Context), under the names that OpenTelemetry gives them in logs. */
export interface TraceFields {
  /** 32 lower-case hexadecimal digits. */
  readonly trace_id: string;
  /** 16 lower-case hexadecimal digits: the caller's span. */
  readonly parent_id: string;
}

/** W3C Trace Context §3.2.2: version, trace id, parent id and flags. */
const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-[\da-f]{2}(-|$)/;
/** The length of a `traceparent` of version 00. */
const LENGTH = 55;
/** Longer ones are of no version that is known, whatever they append. */
const MAX_LENGTH = 512;
const ZEROS = /^0+$/;

/**
 * Reads `traceparent`. A header that is absent, repeated or not valid is ignored, and no trace is started then: the
 * request id already names the request. `tracestate` is not read. Neither is sent on: the server sends requests to hosts of
 * others only.
 *
 * A caller may make up the ids. They are hexadecimal digits of a fixed number, so that they are safe to log.
 *
 * @returns `undefined` unless the request carries one valid `traceparent`
 */
export function traceOf({ headers }: Pick<IncomingMessage, 'headers'>): TraceFields | undefined {
  const value = headers['traceparent'];
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return undefined;
  return parseTraceparent(value);
}

/** Later versions may append members after a dash; version 00 has none, and ff is not a version (§3.2.2.1, §4.3). */
function parseTraceparent(value: string): TraceFields | undefined {
  const [, version, traceId, parentId] = TRACEPARENT.exec(value) ?? [];
  if (version === undefined || traceId === undefined || parentId === undefined) return undefined;
  if (version === 'ff' || (version === '00' && value.length !== LENGTH)) return undefined;
  // Node joins repeated headers with a comma.
  if (value.includes(',') || ZEROS.test(traceId) || ZEROS.test(parentId)) return undefined;
  return { trace_id: traceId, parent_id: parentId };
}
