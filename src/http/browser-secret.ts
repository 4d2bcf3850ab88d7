import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What reading and setting the cookie takes: any Koa context. */
export interface BrowserRequest {
  readonly req: IncomingMessage;
  append(header: string, value: string): unknown;
}

/**
 * The secret that names a browser, before and after anybody signs in. Forms and pending authorizations are bound to
 * it. Nothing is stored.
 */
export interface BrowserSecrets {
  /** The secrets that the browser presents; empty if it sent no cookie of ours. */
  received(ctx: BrowserRequest): readonly string[];
  /** The secret to bind something new to. A browser that presents none gets one with the answer. */
  current(ctx: BrowserRequest): string;
}

/** 256 bits in base64url, as we set it; anything else is not ours. */
const VALUE = /^[\w-]{43}$/;

/** Bounds the work for a forged header. Browsers hold one; a few, if their first requests ran in parallel. */
const MAX_RECEIVED = 8;

/** @param issuer our own origin: over https, browsers refuse the cookie from other hosts */
export function createBrowserSecrets(issuer: string): BrowserSecrets {
  const isSecure = issuer.startsWith('https://');
  // Neither a sibling domain nor http can set a cookie with this prefix (RFC 6265bis §4.1.3).
  const prefix = `${isSecure ? '__Host-' : ''}gatehouse_browser_`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  /** What was set while answering a request; the rest of the answer needs the same. */
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
      // A random end of the name: two tabs that open at once in a new browser must not replace each other's secret.
      const name = prefix + randomBytes(1).toString('hex');
      ctx.append('Set-Cookie', `${name}=${value}; ${attributes}`);
      return value;
    },
  };
}
