import type { Middleware } from 'koa';

import { pagesFor } from './navigation.js';
import { readOrganization } from './organization-context.js';
import { HOME } from './return-to.js';
import { seeOther, type VisitorState } from './visitor.js';

/** `/settings`: leads to the first page that the role may open, in the organization and environment of the address. */
export const home: Middleware<VisitorState> = (ctx, next) => {
  if (ctx.path !== HOME || !['GET', 'HEAD'].includes(ctx.method)) return next();
  const { visitor, requestId } = ctx.state;
  const { accountId, sessionId, memberships } = visitor;
  if (memberships.length === 0) return seeOther(ctx, '/settings/profile');
  const actor = { id: accountId, address: '', requestId };
  const { role, href } = readOrganization(ctx, memberships, { accountId, sessionId, actor });
  const [first] = pagesFor(role);
  return first === undefined ? next() : seeOther(ctx, href(first.path));
};
