import type { RouterContext } from '@koa/router';
import type { Middleware } from 'koa';
import type { EntityManager } from 'typeorm';

import type { RequestFacts } from './request-facts.js';

/** What the transport kit keeps with a request. */
export interface RequestState {
  requestId: string;
  /** The matched route's pattern, for logs and metrics; absent where none matched. */
  route?: string;
  /** Whether it changes nothing, although its method could; logged like other reads then. */
  isRead?: boolean;
  /** Why an answer that was not thrown as a problem is an error: for the log only. */
  failure?: unknown;
  /** Ids for the log, noted as they become known; see `noteFacts`. */
  facts?: RequestFacts;
  /** The error code of a refusal and the exact reason: for the log only. */
  refusal?: { readonly code: string; readonly reason: string };
  /**
   * What a handler reads and writes the database with: for requests that change something, the
   * one transaction that its work, its audit entries and its remembered answer commit in.
   */
  manager: EntityManager;
  /** The body as it arrived; empty where there is none. */
  rawBody: Buffer;
  /** Whether the body was still on its way when reading it began. */
  isBodyLate: boolean;
}

/** A request to a matched route; `State` is what earlier middleware put there. */
export type RouteContext<State = RequestState> = RouterContext<State>;

/** Koa middleware that relies on nothing but the transport kit's state. */
export type RequestMiddleware = Middleware<RequestState>;
