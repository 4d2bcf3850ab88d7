import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

import { Eta } from 'eta';

/** Beside `src`, both in the sources and in a build. */
const VIEWS = new URL('../../../views/', import.meta.url);

/** The part of a Koa context that is needed to send a page, also that of a mounted application. */
interface Answer {
  set(headers: Record<string, string>): unknown;
  status: number;
  body?: unknown;
}

/** A hidden form field. */
export interface HiddenField {
  readonly name: string;
  readonly value: string;
}

/** The frame of a page for a signed-in user. */
export interface SignedInFrame {
  /** Shown at the head of the page. */
  readonly email: string;
  /** The action of the sign-out form. */
  readonly signOut: string;
  /** The CSRF token, for that form and for API calls from the page. */
  readonly csrf: string;
}

interface PageOptions {
  /** 200 by default. */
  readonly status?: number;
  /**
   * Omits `form-action` from the policy, for forms that redirect to a client. Chromium applies the directive to every
   * redirect that follows a submission, including the client's own, which may lead to any scheme.
   */
  readonly endsAtClient?: boolean;
  readonly signedIn?: SignedInFrame | undefined;
}

/** Sends pages. `Views` maps each template to the type of its data. */
export interface Pages<Views> {
  /**
   * Answers with a page, and with headers that forbid storing, framing and scripts.
   *
   * @param view the template's name in `views/`
   * @param page the document title and the template's data
   * @throws Error if the template does not exist
   */
  send<View extends keyof Views & string>(
    ctx: Answer,
    view: View,
    page: { readonly title: string } & Views[View],
    options?: PageOptions,
  ): void;
}

interface Dependencies {
  /** The product's name, in the head of every page. */
  readonly brandName: string;
  /** The server's origin, shown at the foot of every page. */
  readonly issuer: string;
}

/**
 * Compiles all templates at start, because the folder of the sources may be removed while the server runs.
 * @throws Error if a template is missing or malformed
 */
export function createPages<Views>({ brandName, issuer }: Dependencies): Pages<Views> {
  const eta = new Eta({ autoEscape: true });
  for (const file of readdirSync(VIEWS).filter((name) => name.endsWith('.eta'))) {
    eta.loadTemplate(`@${file.slice(0, -'.eta'.length)}`, read(file));
  }
  // The stylesheet is allowed by its hash. No other style or script is allowed.
  const style = read('style.css');
  const styleHash = createHash('sha256').update(style).digest('base64');
  const site = { brandName, host: new URL(issuer).host, style };

  return {
    send(ctx, view, page, { status = 200, endsAtClient = false, signedIn } = {}) {
      const body = eta.render(`@${view}`, { ...page, ...site });
      const html = eta.render('@layout', { ...site, title: page.title, view, body, signedIn });
      ctx.set({
        'Content-Type': 'text/html; charset=utf-8',
        'Cache-Control': 'no-store',
        'Content-Security-Policy': policy(styleHash, endsAtClient),
        // Not `no-referrer`: browsers would send `Origin: null` with same-origin forms (Fetch §3.2), as with
        // cross-origin ones. Neither value sends URLs to other origins.
        'Referrer-Policy': 'same-origin',
        'X-Frame-Options': 'DENY',
      });
      ctx.status = status;
      ctx.body = html;
    },
  };
}

function read(file: string): string {
  return readFileSync(new URL(file, VIEWS), 'utf8');
}

function policy(styleHash: string, endsAtClient: boolean): string {
  return [
    "default-src 'none'",
    `style-src 'sha256-${styleHash}'`,
    ...(endsAtClient ? [] : ["form-action 'self'"]),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
