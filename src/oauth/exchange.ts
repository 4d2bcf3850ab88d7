import type { Competition, Competitor } from './competition.js';
import type { ExchangeRow, ExchangeStore } from './exchange-store.js';

/** What the library asked to have stored, until it is: all of it, at once, or nothing. */
export interface IssuedToken {
  readonly secret: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly seconds: number;
}

/**
 * The unit of work of exchanging a code. The library reads and writes piece by piece; here the reads are one
 * query, made when the client is first looked up, and the writes are gathered and committed
 * together once the library is done: see `code-exchange.ts`.
 */
export interface Exchange {
  /** What was read; `undefined` before the client was looked up, and when there is no such client. */
  row: ExchangeRow | undefined;
  access: IssuedToken | undefined;
  refresh: IssuedToken | undefined;
  isConsumed: boolean;
  load(clientId: string): Promise<ExchangeRow | undefined>;
  /** Joined once the client was looked up. */
  competitor: Competitor | undefined;
}

/** The form of client ids; nothing else is worth a query. */
const CLIENT_ID = /^cli_[0-9A-Za-z]{1,64}$/;

/**
 * @param code as presented; `null` if none was
 * @param since when the request came, by `performance.now()`
 */
export function createExchange(
  store: ExchangeStore,
  competition: Competition,
  code: string | null,
  since: number,
): Exchange {
  const exchange: Exchange = {
    row: undefined,
    access: undefined,
    refresh: undefined,
    isConsumed: false,
    competitor: undefined,
    async load(clientId) {
      if (!CLIENT_ID.test(clientId)) return undefined;
      if (code !== null) exchange.competitor = competition.join(code);
      exchange.row = await store.load(clientId, code, since);
      return exchange.row;
    },
  };
  return exchange;
}
