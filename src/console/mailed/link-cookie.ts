import type { RequestState, RouteContext } from '../../http/context.js';
import { singleValue } from '../../http/body/form.js';
import { hostCookie } from '../../http/pages/host-cookie.js';
import { seeOther } from '../visitor.js';

export type PublicContext = RouteContext<RequestState>;

/**
 * Keeps the secret of a link that was opened from a mail. The first request moves it from the address into a cookie and
 * redirects, so that it is in no history, no `Referer` and no address that a page shows. Opening a link uses nothing:
 * mail scanners open links too.
 */
export interface LinkCookie {
  /**
   * Takes the secret from the address.
   * @returns whether there was one; the answer is then a redirect to the page without it
   */
  take(ctx: PublicContext): boolean;
  /** The secret that the browser has. */
  read(ctx: PublicContext): string | undefined;
  /** Deletes the cookie once the link was used. */
  forget(ctx: PublicContext): void;
}

/** More than a link's secret. */
const MAX_LENGTH = 200;

/**
 * @param page the page that the link leads to
 * @param issuer the server's origin
 */
export function createLinkCookie(page: `/${string}`, issuer: string): LinkCookie {
  const { name, options } = hostCookie(issuer, `link_${page.slice(1).replaceAll('-', '_')}`);
  return {
    take(ctx) {
      const secret = singleValue(new URLSearchParams(ctx.querystring), 'token');
      if (secret === undefined) return false;
      const isPossible = secret.length <= MAX_LENGTH && /^\w+$/.test(secret);
      ctx.cookies.set(name, isPossible ? secret : 'none', options);
      ctx.set('Cache-Control', 'no-store');
      ctx.set('Referrer-Policy', 'no-referrer');
      seeOther(ctx, page);
      return true;
    },
    read: (ctx) => ctx.cookies.get(name, { signed: false }),
    forget: (ctx) => void ctx.cookies.set(name, null, options),
  };
}
