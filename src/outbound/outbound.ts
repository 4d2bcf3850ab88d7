import { Counter, Gauge, type Registry } from 'prom-client';

import { isPublicHost } from '../http/public-host.js';
import { parseUrl } from '../http/url.js';
import {
  findAddresses,
  isLoopbackHost,
  isReachable,
  resolveByDns,
  type Resolve,
} from './addresses.js';
import type { OutboundAnswer, OutboundFailure, PostAnswer } from './answer.js';
import { createHostLimits } from './host-limits.js';
import { postPinned, sendPinned } from './send.js';

/** The features that make outbound requests, for the metrics. */
const PURPOSES = ['client_document', 'jwks', 'logo', 'sign_in', 'webhook'] as const;

/** A request to another server, by GET unless it has a body. */
export interface OutboundRequest {
  readonly url: string;
  readonly purpose: Exclude<(typeof PURPOSES)[number], 'webhook'>;
  /** The media types that the response may have, in lower case. */
  readonly mediaTypes: readonly string[];
  readonly maxBytes: number;
  /** Sent by POST. */
  readonly body?: string | undefined;
  /** Headers in addition to those of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether answers of the statuses 4xx but 429 are returned, as in protocols that describe errors in a body. */
  readonly returnsErrors?: boolean;
  /** Addresses that may be connected to although they are not public, by choice of the operator. */
  readonly isAddressAllowed?: ((address: string) => boolean) | undefined;
}

/** A POST request to another server. The caller bounds how many are sent at a time. */
export interface OutboundPost {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

/**
 * The only way to send HTTP requests to other servers. Requests go over https to public addresses, which are checked on
 * the connection that is made. Redirects are not followed. Size, time and concurrency have limits.
 */
export interface Outbound {
  /** Whether a URL could be requested: https, and a host that can be public. Names are not resolved. */
  readonly isFetchable: (url: string) => boolean;
  /** Never throws: a failure is an outcome. Only status 200 is a success. */
  fetch(request: OutboundRequest): Promise<OutboundAnswer>;
  /** Sends an event to a webhook. Never throws. The body of the response is not read, and a redirect is its answer. */
  post(request: OutboundPost): Promise<PostAnswer>;
}

interface Options {
  readonly register: Registry;
  /** Allows http and https to this machine, for development. */
  readonly isLoopbackAllowed: boolean;
  readonly resolve?: Resolve;
  /** Certificates of authorities to trust instead of the usual ones. */
  readonly ca?: string;
  readonly timeoutMs?: number;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

interface PostOptions extends Options {
  readonly resolve: Resolve;
}

/** Includes DNS, the connection, and a body that arrives slowly. */
const TIMEOUT_MS = 4000;
/** Webhooks do some work before they answer. */
const POST_TIMEOUT_MS = 10_000;

/**
 * Many users sign in through one provider at the same time. The operator chose it, so that a short pause is enough after
 * a failure.
 */
const SIGN_IN_LIMITS = { inFlight: 64, perHost: 16, maxPauseMs: 4000 } as const;

/** Failures that say something about the host, and not about one of its resources. */
const FAULTS_OF_HOST: readonly OutboundFailure[] = ['name', 'connection', 'timeout', 'overload'];

export function createOutbound(options: Options): Outbound {
  const { isLoopbackAllowed, ca, timeoutMs = TIMEOUT_MS, resolve = resolveByDns } = options;
  const now = options.now ?? (() => performance.now());
  // Separate, so that a flood of requests for one purpose does not use up the others.
  const limits = {
    client_document: createHostLimits(now),
    jwks: createHostLimits(now),
    logo: createHostLimits(now),
    sign_in: createHostLimits(now, SIGN_IN_LIMITS),
  };
  let posting = 0;
  const active = () => Object.values(limits).reduce((sum, limit) => sum + limit.active(), posting);
  const metrics = createOutboundMetrics(options.register, active);

  async function fetchWithin(
    url: URL,
    request: OutboundRequest,
    signal: AbortSignal,
  ): Promise<OutboundAnswer> {
    const isAllowed = (address: string) =>
      isReachable(address, isLoopbackAllowed) || request.isAddressAllowed?.(address) === true;
    const found = await findAddresses(url.hostname, { resolve, signal, isAllowed });
    if (signal.aborted) return { outcome: 'failed', reason: 'timeout' };
    if (typeof found === 'string') return { outcome: 'failed', reason: found };
    return sendPinned({ ...request, url, addresses: found, isAllowed, signal, ca });
  }

  async function fetchAdmitted(url: URL, request: OutboundRequest): Promise<OutboundAnswer> {
    const admission = limits[request.purpose].admit(url.host);
    if (typeof admission === 'string') return { outcome: 'failed', reason: admission };
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeoutMs);
    let answer: OutboundAnswer = { outcome: 'failed', reason: 'connection' };
    try {
      answer = await fetchWithin(url, request, abort.signal);
    } catch {
      if (abort.signal.aborted) answer = { outcome: 'failed', reason: 'timeout' };
    } finally {
      clearTimeout(timer);
      admission.end(answer.outcome === 'failed' && FAULTS_OF_HOST.includes(answer.reason));
    }
    return answer;
  }

  return {
    async post(request) {
      posting += 1;
      const answer = await postTo(request, { resolve, ...options }).finally(() => (posting -= 1));
      metrics.count('webhook', answer);
      return answer;
    },
    isFetchable: createUrlCheck(isLoopbackAllowed),
    async fetch(request) {
      const isPrivateAllowed = request.isAddressAllowed !== undefined;
      const url = allowedUrl(request.url, isLoopbackAllowed, isPrivateAllowed);
      const answer: OutboundAnswer =
        url === undefined
          ? { outcome: 'failed', reason: 'url' }
          : await fetchAdmitted(url, request);
      metrics.count(request.purpose, answer);
      return answer;
    },
  };
}

async function postTo(
  { url: text, headers, body, signal: given }: OutboundPost,
  { isLoopbackAllowed, resolve, timeoutMs = POST_TIMEOUT_MS, ca }: PostOptions,
): Promise<PostAnswer> {
  const url = allowedUrl(text, isLoopbackAllowed);
  if (url === undefined) return { outcome: 'failed', reason: 'url' };
  const isAllowed = (address: string) => isReachable(address, isLoopbackAllowed);
  const signal = AbortSignal.any([given, AbortSignal.timeout(timeoutMs)]);
  try {
    const addresses = await findAddresses(url.hostname, { resolve, signal, isAllowed });
    if (typeof addresses === 'string') return { outcome: 'failed', reason: addresses };
    signal.throwIfAborted();
    const pinned = { url, addresses, isAllowed, signal, ca, headers, body };
    return { outcome: 'answered', status: await postPinned(pinned) };
  } catch {
    return { outcome: 'failed', reason: signal.aborted ? 'timeout' : 'connection' };
  }
}

/** Makes `isFetchable`, for programs that send no request. */
export function createUrlCheck(isLoopbackAllowed: boolean): Outbound['isFetchable'] {
  return (url) => allowedUrl(url, isLoopbackAllowed) !== undefined;
}

/**
 * @param isPrivateAllowed whether the host may be private. Its addresses are checked when it is resolved
 * @returns `undefined` for a URL that is never requested
 */
function allowedUrl(
  text: string,
  isLoopbackAllowed: boolean,
  isPrivateAllowed = false,
): URL | undefined {
  const url = parseUrl(text);
  if (url === undefined || url.username !== '' || url.password !== '') return undefined;
  const isOwn = isLoopbackAllowed && isLoopbackHost(url.hostname);
  if (isOwn) return /^https?:$/.test(url.protocol) ? url : undefined;
  if (url.protocol !== 'https:') return undefined;
  return isPrivateAllowed || isPublicHost(url.hostname) ? url : undefined;
}

function createOutboundMetrics(register: Registry, active: () => number) {
  const requests = new Counter({
    name: 'gatehouse_outbound_requests_total',
    help: 'Requests to other servers, by purpose and outcome: fetched or answered, or the reason of the failure.',
    labelNames: ['purpose', 'outcome'] as const,
    registers: [register],
  });
  for (const purpose of PURPOSES) {
    requests.inc({ purpose, outcome: purpose === 'webhook' ? 'answered' : 'fetched' }, 0);
  }
  const inFlight: Gauge = new Gauge({
    name: 'gatehouse_outbound_requests_active',
    help: 'Requests to other servers that wait for their response.',
    registers: [register],
    collect() {
      inFlight.set(active());
    },
  });
  return {
    count(purpose: (typeof PURPOSES)[number], answer: OutboundAnswer | PostAnswer) {
      const outcome = answer.outcome === 'failed' ? answer.reason : answer.outcome;
      requests.inc({ purpose, outcome });
    },
  };
}
