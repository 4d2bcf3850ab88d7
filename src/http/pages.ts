import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

import { Eta } from 'eta';

/** Beside `src`, among the sources as in a build. */
const VIEWS = new URL('../../views/', import.meta.url);

/** What a page is sent through: any Koa context, also that of a mounted application. */
interface Answer {
  set(headers: Record<string, string>): unknown;
  status: number;
  body?: unknown;
}

/** A field of a form that nobody sees. */
export interface HiddenField {
  readonly name: string;
  readonly value: string;
}

/** What stands around a page for somebody who has signed in. */
export interface SignedInFrame {
  /** Shown at the head of the page. */
  readonly email: string;
  /** Where the form that signs out is posted to. */
  readonly signOut: string;
  /** For that form, and for whatever calls the API from the page. */
  readonly csrf: string;
}

interface PageOptions {
  /** 200 unless said otherwise. */
  readonly status?: number;
  /**
   * Leaves `form-action` out of the policy, for forms that end at a client. Chromium applies the directive to every
   * redirect that follows a submission, also to those that the client answers with, which may lead to any scheme.
   */
  readonly endsAtClient?: boolean;
  readonly signedIn?: SignedInFrame | undefined;
}

/** Sends pages; `Views` names the data of each. */
export interface Pages<Views> {
  /**
   * Answers with a page, and with the headers that keep it from being stored, framed or scripted.
   *
   * @param view the template's name in `views/`
   * @param page the title for the browser's tab, and the template's data
   * @throws Error for a template that does not exist
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
  /** Our own origin, named at the foot of every page. */
  readonly issuer: string;
}

/**
 * Reads and compiles all templates at once: a server outlives the folder that it was started from.
 * @throws Error when a template is missing or malformed
 */
export function createPages<Views>({ brandName, issuer }: Dependencies): Pages<Views> {
  const eta = new Eta({ autoEscape: true });
  for (const file of readdirSync(VIEWS).filter((name) => name.endsWith('.eta'))) {
    eta.loadTemplate(`@${file.slice(0, -'.eta'.length)}`, read(file));
  }
  // The only style is allowed by its hash, so that nothing injected could be styled or run.
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
        // Not `no-referrer`: under it browsers send `Origin: null` with our own forms (Fetch §3.2),
        // which could then not be told from foreign ones. No other origin learns our URLs either way.
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
