import { request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';

import type { Address } from './addresses.js';
import type { OutboundAnswer, OutboundFailure } from './answer.js';

/** A connection whose addresses were checked. */
interface Pinned {
  readonly url: URL;
  readonly addresses: readonly Address[];
  readonly isAllowed: (address: string) => boolean;
  readonly signal: AbortSignal;
  /** Certificates of authorities to trust instead of the usual ones. */
  readonly ca: string | undefined;
}

/** A request whose response is read. */
export interface PinnedRequest extends Pinned {
  /** The media type that the body must have. */
  readonly mediaTypes: readonly string[];
  readonly maxBytes: number;
  readonly body?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly returnsErrors?: boolean;
}

/** A POST request. */
export interface PinnedPost extends Pinned {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const MAX_HEADER_BYTES = 8 * 1024;

/**
 * Sends one request, by GET unless it has a body. The connection is made to one of the checked addresses: the name is not resolved again, and a
 * redirect is a failure. Proxies of the environment are not used.
 *
 * @throws the error of the connection
 */
export async function sendPinned(pinned: PinnedRequest): Promise<OutboundAnswer> {
  const { body: sent, headers, mediaTypes } = pinned;
  const response = await connect(
    pinned,
    sent === undefined ? 'GET' : 'POST',
    { ...headers, Accept: mediaTypes.join(', ') },
    sent,
  );
  try {
    const failure = failureOf(response, pinned);
    if (failure !== undefined) return { outcome: 'failed', reason: failure };
    const body = await readBounded(response, pinned.maxBytes);
    return body === undefined
      ? { outcome: 'failed', reason: 'size' }
      : { outcome: 'fetched', status: response.statusCode ?? 0, body, headers: response.headers };
  } finally {
    response.destroy();
  }
}

/**
 * Sends one POST request, as `sendPinned` does. The body of the response is not read.
 *
 * @returns the status
 * @throws the error of the connection
 */
export async function postPinned({ headers, body, ...pinned }: PinnedPost): Promise<number> {
  const response = await connect(pinned, 'POST', headers, body);
  response.destroy();
  return response.statusCode ?? 0;
}

function connect(
  { url, addresses, isAllowed, signal, ca }: Pinned,
  method: 'GET' | 'POST',
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      // A connection of its own, closed after the response.
      agent: false,
      lookup: pinnedLookup(addresses),
      rejectUnauthorized: true,
      maxHeaderSize: MAX_HEADER_BYTES,
      signal,
      headers: {
        ...headers,
        'Accept-Encoding': 'identity',
        'User-Agent': 'Gatehouse',
      },
      ...(ca !== undefined && { ca }),
    });
    request.on('socket', (socket) => {
      socket.on('connect', () => {
        if (isAllowed(socket.remoteAddress ?? '')) return;
        socket.destroy(new Error('connected to an address that was not checked'));
      });
    });
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

/** Answers with the checked addresses instead of resolving. Not called for a host that is an address itself. */
function pinnedLookup(addresses: readonly Address[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

function failureOf(
  { statusCode, headers }: IncomingMessage,
  { mediaTypes, maxBytes, returnsErrors = false }: PinnedRequest,
): OutboundFailure | undefined {
  if (isOverloaded(statusCode)) return 'overload';
  if (statusCode !== 200 && !(returnsErrors && isError(statusCode))) return 'status';
  if (!mediaTypes.includes(mediaTypeOf(headers))) return 'type';
  // A compressed body would be larger than it seems.
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') return 'encoding';
  return Number(headers['content-length'] ?? 0) > maxBytes ? 'size' : undefined;
}

function isError(status = 0): boolean {
  return status >= 400;
}

function isOverloaded(status = 0): boolean {
  return status === 429 || status >= 500;
}

function mediaTypeOf(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** @returns `undefined` once the body is longer than the limit */
async function readBounded(
  response: IncomingMessage,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
