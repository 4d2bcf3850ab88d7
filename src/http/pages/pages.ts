import { readdirSync } from 'node:fs';

import { Eta } from 'eta';

import type { Assets } from './assets.js';
import type { Brand } from './brand.js';
import type { SignedInFrame } from './frame.js';
import { readView, VIEWS } from './views.js';

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

export interface PageOptions {
  /** 200 by default. */
  readonly status?: number;
  /**
   * Omits `form-action` from the policy, for forms that redirect to a client. Chromium applies the directive to every
   * redirect that follows a submission, including the client's own, which may lead to any scheme.
   */
  readonly endsAtClient?: boolean;
  /** The frame of the settings area. Without it a page stands alone. */
  readonly signedIn?: SignedInFrame | undefined;
}

/** Sends pages. `Views` maps each template to the type of its data. */
export interface Pages<Views> {
  /**
   * Answers with a page, and with headers that forbid storing, framing and foreign scripts.
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
  readonly brand: Brand;
  /** The server's origin, shown at the foot of every page. */
  readonly issuer: string;
  readonly assets: Omit<Assets, 'routes'>;
}

/**
 * Compiles all templates at start, because the folder of the sources may be removed while the server runs.
 * @throws Error if a template is missing or malformed
 */
export function createPages<Views>({ brand, issuer, assets }: Dependencies): Pages<Views> {
  const eta = new Eta({ autoEscape: true, plugins: [{ processFnString: keepDataApart }] });
  for (const file of readdirSync(VIEWS).filter((name) => name.endsWith('.eta'))) {
    eta.loadTemplate(`@${file.slice(0, -'.eta'.length)}`, readView(file));
  }
  const site = {
    brandName: brand.name,
    host: new URL(issuer).host,
    assets,
    footerLinks: linksOf(brand),
  };
  const policy = createPolicy(assets);

  return {
    send(ctx, view, page, { status = 200, endsAtClient = false, signedIn } = {}) {
      const csrf = signedIn && { csrf: signedIn.csrf };
      // Other members of `site` are for the layout. They could replace those of the page.
      const body = eta.render(`@${view}`, { ...csrf, ...page, brandName: site.brandName });
      const layout = signedIn === undefined ? '@layout' : '@layout-settings';
      const html = eta.render(layout, { ...site, title: page.title, view, body, frame: signedIn });
      ctx.set({
        'Content-Type': 'text/html; charset=utf-8',
        'Cache-Control': 'no-store',
        'Content-Security-Policy': policy(endsAtClient),
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

const INHERITED = '{...it, ...(__eta_d ?? {})}';

/**
 * Gives a part of a page only the data that the page hands to it. Eta adds all data of the page: each field would show
 * the page's `error` as its own.
 */
function keepDataApart(source: string): string {
  if (!source.includes(INHERITED)) throw new Error('The template library includes in another way.');
  return source.replaceAll(INHERITED, '__eta_d ?? {}');
}

function linksOf({ helpUrl, termsUrl, privacyUrl }: Brand) {
  return [
    { text: 'Help', href: helpUrl },
    { text: 'Terms', href: termsUrl },
    { text: 'Privacy', href: privacyUrl },
  ].filter(({ href }) => href !== undefined);
}

/** Styles, scripts and calls from this origin only. Nothing is inline. */
function createPolicy({ logoOrigin }: Dependencies['assets']): (endsAtClient: boolean) => string {
  return (endsAtClient) =>
    [
      "default-src 'none'",
      "style-src 'self'",
      "script-src 'self'",
      "connect-src 'self'",
      `img-src 'self'${logoOrigin === undefined ? '' : ` ${logoOrigin}`}`,
      ...(endsAtClient ? [] : ["form-action 'self'"]),
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; ');
}
