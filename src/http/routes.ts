import type { Next } from 'koa';

import type { RequestState, RouteContext } from './context.js';
import type { RouteDeclaration } from './route-declaration.js';

/** A route: its declaration and its handler. */
export interface Route<
  Access,
  State extends RequestState = RequestState,
> extends RouteDeclaration<Access> {
  handle(this: void, ctx: RouteContext<State>, next: Next): unknown;
}
