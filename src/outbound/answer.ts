import type { IncomingHttpHeaders } from 'node:http';

/**
 * Reasons why nothing was fetched. `url`: not an https URL of a public host. `name`: unknown to DNS. `address`: not
 * public. `overload`: status 429 or 5xx. `busy`: too many requests at a time. `paused`: the host failed recently.
 */
export type OutboundFailure =
  | 'url'
  | 'name'
  | 'address'
  | 'connection'
  | 'timeout'
  | 'status'
  | 'overload'
  | 'type'
  | 'encoding'
  | 'size'
  | 'busy'
  | 'paused';

export type OutboundAnswer =
  | {
      readonly outcome: 'fetched';
      /** 200, unless the request wants errors too. */
      readonly status: number;
      readonly body: Buffer;
      readonly headers: IncomingHttpHeaders;
    }
  | { readonly outcome: 'failed'; readonly reason: OutboundFailure };

/** The answer to a POST request: a status of any kind, or the reason why there is none. */
export type PostAnswer =
  | { readonly outcome: 'answered'; readonly status: number }
  | { readonly outcome: 'failed'; readonly reason: OutboundFailure };
