import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The part of a Koa context that is needed to read and set the cookie. */
export interface BrowserRequest {
  readonly req: IncomingMessage;
  append(header: string, value: string): unknown;
}

/**
 * The secret that identifies a browser, before and after sign-in. Forms and pending authorizations are bound to it.
 * It is kept in a cookie and not stored.
 */
export interface BrowserSecrets {
  /** The secrets that the browser sent; empty if there is no cookie. */
  received(ctx: BrowserRequest): readonly string[];
  /** The secret for new bindings. A browser without one gets a cookie with the answer. */
  current(ctx: BrowserRequest): string;
}

/** 256 bits in base64url. Other values are ignored. */
const VALUE = /^[\w-]{43}$/;

/** Bounds the work for a forged header. A browser has one secret, or a few if its first requests ran in parallel. */
const MAX_RECEIVED = 8;

/** @param issuer the server's origin; with https the cookie has the `__Host-` prefix */
export function createBrowserSecrets(issuer: string): BrowserSecrets {
  const isSecure = issuer.startsWith('https://');
  // Neither a sibling domain nor http can set a cookie with this prefix (RFC 6265bis §4.1.3).
  const prefix = `${isSecure ? '__Host-' : ''}gatehouse_browser_`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  /** The secrets that were set while a request is handled, for further calls of `current`. */
  const fresh = new WeakMap<IncomingMessage, string>();

  const received = ({ req }: BrowserRequest): readonly string[] =>
    (req.headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.replace(/^ +/, ''))
      .filter((pair) => pair.startsWith(prefix))
      .map((pair) => pair.slice(pair.indexOf('=') + 1))
      .filter((value) => VALUE.test(value))
      .slice(0, MAX_RECEIVED);

  return {
    received,
    current(ctx) {
      const known = received(ctx)[0] ?? fresh.get(ctx.req);
      if (known !== undefined) return known;
      const value = randomBytes(32).toString('base64url');
      fresh.set(ctx.req, value);
      // A random suffix of the name, so that two tabs that open at once do not replace each other's secret.
      const name = prefix + randomBytes(4).toString('hex');
      ctx.append('Set-Cookie', `${name}=${value}; ${attributes}`);
      return value;
    },
  };
}
