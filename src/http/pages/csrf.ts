import type { BrowserRequest, BrowserSecrets } from './browser-secret.js';
import type { Form } from '../body/form.js';
import type { Signer } from '../pagination.js';
import { Problem } from '../errors/problem.js';

/** The form field that carries the token. */
const CSRF_FIELD = 'csrf';

/** The header that carries it where a page's script calls the API. */
export const CSRF_HEADER = 'X-CSRF-Token';

interface Exchange extends BrowserRequest {
  get(header: string): string;
}

/**
 * The verdict on a form: valid (`ours`), sent by another origin (`foreign`), without the browser's cookie
 * (`no_cookie`), or with the token of another cookie, as from a page that was open for too long (`stale`).
 */
export type FormVerdict = 'ours' | 'foreign' | 'no_cookie' | 'stale';

/** Protects forms and calls with a session against cross-site request forgery, before and after sign-in. */
export interface Csrf {
  /** Makes the token for a form. A browser without a secret gets one with the answer. */
  token(ctx: Exchange): string;
  /** Judges a form without throwing, for pages that show the verdict. */
  judge(ctx: Exchange, form: Form): FormVerdict;
  /**
   * Checks that a form was submitted from this server's page in this browser.
   * @throws Problem `forbidden` if its token is missing, altered or of another browser, or if `Origin` or
   *   `Sec-Fetch-Site` names another origin
   */
  check(ctx: Exchange, form: Form): void;
  /**
   * Checks that a call comes from this server's page in this browser, by a header that no form can send.
   * @throws Problem `forbidden`, as for a form
   */
  checkCall(ctx: Exchange): void;
}

/**
 * Double-submit cookie: the form holds a signature of an HttpOnly cookie. Nothing is stored, so it works before
 * sign-in.
 *
 * @param dependencies the keyring's `sign` and `isSigned`, the server's origin, and the secrets of browsers
 */
export function createCsrf(
  dependencies: Signer & { readonly issuer: string; readonly browsers: BrowserSecrets },
): Csrf {
  const { issuer, browsers } = dependencies;
  const signed = (value: string) => JSON.stringify([CSRF_FIELD, value]);

  /** Whether exactly one token was sent and it is valid. */
  const isOurs = (ctx: Exchange, [token, ...others]: readonly string[]): boolean =>
    token !== undefined &&
    others.length === 0 &&
    browsers.received(ctx).some((secret) => dependencies.isSigned(signed(secret), token));

  /** Whether `Origin` and `Sec-Fetch-Site`, if the browser sends them, name this server. */
  const isFromHere = (ctx: Exchange, sites: readonly string[]): boolean =>
    ['', issuer].includes(ctx.get('Origin')) && ['', ...sites].includes(ctx.get('Sec-Fetch-Site'));

  const judge = (ctx: Exchange, form: Form): FormVerdict => {
    // `none`: the user reloads the answer to a form.
    if (!isFromHere(ctx, ['same-origin', 'none'])) return 'foreign';
    if (isOurs(ctx, form.getAll(CSRF_FIELD))) return 'ours';
    return browsers.received(ctx).length === 0 ? 'no_cookie' : 'stale';
  };
  const REASONS = {
    foreign: `This form has to be sent from a page of ${issuer}.`,
    no_cookie: `Your browser has to accept cookies from ${new URL(issuer).host}. Allow them, then open the page again.`,
    stale: 'The page that this form was on is too old. Open it again.',
  } as const;

  return {
    token: (ctx) => dependencies.sign(signed(browsers.current(ctx))),
    judge,
    check(ctx, form) {
      const verdict = judge(ctx, form);
      if (verdict !== 'ours') throw new Problem('forbidden', REASONS[verdict]);
    },
    checkCall(ctx) {
      if (!isFromHere(ctx, ['same-origin'])) {
        throw new Problem(
          'forbidden',
          `With a session this is called from pages of ${issuer} only.`,
        );
      }
      if (isOurs(ctx, ctx.req.headersDistinct[CSRF_HEADER.toLowerCase()] ?? [])) return;
      throw new Problem(
        'forbidden',
        `With a session this needs the page's token in ${CSRF_HEADER}, and the cookie that belongs to it.`,
      );
    },
  };
}
