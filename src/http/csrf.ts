import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import type { Form } from './form.js';
import type { Signer } from './pagination.js';
import { Problem } from './problem.js';

/** The form field that carries the token. */
const CSRF_FIELD = 'csrf';

const COOKIE = 'gatehouse_csrf';

/** 256 bits in base64url, as we set it; anything else is not ours. */
const COOKIE_VALUE = /^[\w-]{43}$/;

interface Exchange {
  readonly req: IncomingMessage;
  readonly cookies: { get(name: string, options: { signed: false }): string | undefined };
  get(header: string): string;
  append(header: string, value: string): unknown;
}

/** Keeps other sites from submitting our forms in somebody's name, signed in or not. */
export interface Csrf {
  /** The token for a form; the browser gets the cookie that it belongs to, unless it has it. */
  token(ctx: Exchange): string;
  /**
   * Checks that a form was on a page of ours, in this browser.
   * @throws Problem `forbidden` if its token is missing, altered, or of another browser, or if the
   *   browser says that another origin sent it
   */
  check(ctx: Exchange, form: Form): void;
}

/**
 * Double submit: the form repeats, signed, what a cookie holds that no script can read. Nothing is
 * stored, so it works before anybody has signed in.
 *
 * @param dependencies the keyring's `sign` and `isSigned`, and our own origin
 */
export function createCsrf(dependencies: Signer & { readonly issuer: string }): Csrf {
  const { issuer } = dependencies;
  const isSecure = issuer.startsWith('https://');
  // The prefix makes browsers refuse the cookie from sibling domains and over http (RFC 6265bis §4.1.3).
  const name = isSecure ? `__Host-${COOKIE}` : COOKIE;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  const signed = (value: string) => JSON.stringify([CSRF_FIELD, value]);
  /** What was set while answering a request; its other forms need the same. */
  const fresh = new WeakMap<IncomingMessage, string>();

  const received = (ctx: Exchange): string | undefined => {
    const value = ctx.cookies.get(name, { signed: false });
    return value !== undefined && COOKIE_VALUE.test(value) ? value : undefined;
  };

  return {
    token(ctx) {
      let value = received(ctx) ?? fresh.get(ctx.req);
      if (value === undefined) {
        value = randomBytes(32).toString('base64url');
        fresh.set(ctx.req, value);
        ctx.append('Set-Cookie', `${name}=${value}; ${attributes}`);
      }
      return dependencies.sign(signed(value));
    },
    check(ctx, form) {
      const origin = ctx.get('Origin');
      const site = ctx.get('Sec-Fetch-Site');
      if ((origin !== '' && origin !== issuer) || !['', 'same-origin', 'none'].includes(site)) {
        throw new Problem('forbidden', `This form has to be sent from a page of ${issuer}.`);
      }
      const value = received(ctx);
      const [token, ...others] = form.getAll(CSRF_FIELD);
      const isOurs =
        value !== undefined &&
        token !== undefined &&
        others.length === 0 &&
        dependencies.isSigned(signed(value), token);
      if (isOurs) return;
      throw new Problem(
        'forbidden',
        'The page that this form was on is too old, or cookies are blocked. Open it again.',
      );
    },
  };
}
