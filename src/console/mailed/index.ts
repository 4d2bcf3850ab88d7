import { readForm } from '../../http/body/form.js';
import type { Route } from '../../http/routes.js';
import type { AddressLimit } from '../../rate-limits/index.js';
import { Problem } from '../../http/errors/problem.js';
import { createConfirmEmailPages } from './confirm-email-pages.js';
import { createForgotPasswordPages } from './forgot-password-pages.js';
import { createInvitationPages } from './invitation-pages.js';
import type { PublicContext } from './link-cookie.js';
import { createResetPasswordPages } from './reset-password-pages.js';
import type { MailedDependencies } from './dependencies.js';

/** Requests of one address in a minute for all of these pages. */
const PER_MINUTE = 300;

/** Pages that anybody may open: a forgotten password, and the pages that links in mails lead to. */
export function createMailedPages(
  dependencies: Omit<MailedDependencies, 'page'> & { readonly addressLimit: AddressLimit },
): Route<'public'>[] {
  const { csrf, clientAddress, addressLimit } = dependencies;
  const admit = (ctx: PublicContext) => {
    const verdict = addressLimit.take('mailed pages', clientAddress(ctx.req), PER_MINUTE);
    if (verdict.isAllowed) return;
    throw new Problem('rate_limited', 'Too many requests from your address. Try again later.', {
      headers: { 'Retry-After': String(verdict.retryAfterSeconds) },
    });
  };
  const all: MailedDependencies = {
    ...dependencies,
    page: (method, path, handle) => ({
      method,
      path,
      access: 'public',
      async handle(ctx) {
        admit(ctx);
        const form = method === 'POST' ? await readForm(ctx) : new URLSearchParams();
        if (method === 'POST') csrf.check(ctx, form);
        await handle(ctx, form);
      },
    }),
  };
  return [
    ...createForgotPasswordPages(all),
    ...createResetPasswordPages(all),
    ...createInvitationPages(all),
    ...createConfirmEmailPages(all),
  ];
}
