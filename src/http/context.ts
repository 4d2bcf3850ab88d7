import type { Middleware, ParameterizedContext } from 'koa';
import type { EntityManager } from 'typeorm';

import type { RequestFacts } from './request-facts.js';
import type { PathRoutes } from './route-declaration.js';

/** The state of a request in the transport layer. */
export interface RequestState {
  requestId: string;
  /** The routes of the request's path; absent if there are none. */
  matched?: PathRoutes | undefined;
  /** Headers of the answer that it does not set itself: names and values in turn; see `answer-headers`. */
  headers?: string[];
  /** The answer, if it is a text that is sent past Koa; see `answer-headers`. */
  text?: string | undefined;
  /** The pattern of the matched route, for logs and metrics; absent if none matched. */
  route?: string;
  /** Whether the request is a read in spite of its method. It is logged like other reads. */
  isRead?: boolean;
  /** The cause of an error answer that was not thrown as a problem, for the log only. */
  failure?: unknown;
  /** Ids for the log, noted as they become known; see `noteFacts`. */
  facts?: RequestFacts;
  /** The error code of a refusal and its exact reason, for the log only. */
  refusal?: { readonly code: string; readonly reason: string };
  /**
   * The manager for database access. For requests that change something, it belongs to the transaction in which the
   * work, its audit entries and the stored idempotent response commit together.
   */
  manager: EntityManager;
  /** The raw body; empty if there is none. */
  rawBody: Buffer;
  /** Whether the body was incomplete when reading it began. */
  isBodyLate: boolean;
}

/** A request to a matched route. `State` is set by earlier middleware. */
export type RouteContext<State = RequestState> = ParameterizedContext<
  State,
  { params: Readonly<Record<string, string>> }
>;

/** Koa middleware that depends on the transport layer's state only. */
export type RequestMiddleware = Middleware<RequestState>;
