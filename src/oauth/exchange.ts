import { createHash } from 'node:crypto';

import { timeOfArrival } from '../http/arrival.js';
import type { Competition, Competitor } from './competition.js';
import type { ExchangeRow, ExchangeStore, SourceKind } from './exchange-store.js';

/** What the library asked to have stored, until it is: all of it, at once, or nothing. */
export interface IssuedToken {
  readonly secret: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly seconds: number;
}

/**
 * One token request's unit of work. The library reads and writes piece by piece; here the reads are one
 * query, made when the client is first looked up, and the writes are gathered and committed
 * together once the library is done: see `token-endpoint.ts`.
 */
export interface Exchange {
  /** Known once the client was looked up. */
  source: SourceKind | undefined;
  /** What was read; `undefined` before the client was looked up, and when there is no such client. */
  row: ExchangeRow | undefined;
  access: IssuedToken | undefined;
  refresh: IssuedToken | undefined;
  isConsumed: boolean;
  /** The code or refresh token had been used before: the whole grant ends. */
  isReuse: boolean;
  /** Within the grace window the answer of the first use is given again. */
  replay: Buffer | undefined;
  load(clientId: string): Promise<ExchangeRow | undefined>;
  /** Of everything in the request that shapes its answer, to tell a repetition from another request. */
  requestHash: string;
  /** Joined once the client was looked up. */
  competitor: Competitor | undefined;
}

/** A token request's parameters, as far as they matter here. */
export type ExchangeParams = Readonly<Record<string, unknown>>;

/** The form of client ids; nothing else is worth a query. */
const CLIENT_ID = /^cli_[0-9A-Za-z]{1,64}$/;

/** @param params tells the request's parameters; asked when the client is looked up, once they were read */
export function createExchange(
  store: ExchangeStore,
  competition: Competition,
  params: () => ExchangeParams,
): Exchange {
  const since = timeOfArrival();
  const exchange: Exchange = {
    source: undefined,
    row: undefined,
    access: undefined,
    refresh: undefined,
    isConsumed: false,
    isReuse: false,
    replay: undefined,
    requestHash: '',
    competitor: undefined,
    async load(clientId) {
      if (!CLIENT_ID.test(clientId)) return undefined;
      const { source, secret } = sourceOf(params());
      exchange.source = source;
      exchange.requestHash = hashOf(params());
      if (source !== undefined) exchange.competitor = competition.join(secret);
      exchange.row = await store.load(clientId, source, secret, since);
      return exchange.row;
    },
  };
  return exchange;
}

function sourceOf(params: ExchangeParams): { source: SourceKind | undefined; secret: string } {
  const { grant_type: grantType, code, refresh_token: refreshToken } = params;
  if (grantType === 'authorization_code' && typeof code === 'string') {
    return { source: 'code', secret: code };
  }
  if (grantType === 'refresh_token' && typeof refreshToken === 'string') {
    return { source: 'refresh', secret: refreshToken };
  }
  return { source: undefined, secret: '' };
}

function hashOf({ scope, resource }: ExchangeParams): string {
  return createHash('sha256')
    .update(JSON.stringify([scope ?? null, resource ?? null]))
    .digest('hex');
}
