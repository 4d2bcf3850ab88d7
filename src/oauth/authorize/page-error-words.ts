import type { PageError } from '../../http/errors/page-errors.js';
import { OAUTH_ERROR_CODES } from '../../http/errors/oauth-error-codes.js';
import { PROBLEMS } from '../../http/errors/problem.js';

/** The words of an error page, and the pages that help. */
export interface PageErrorWords {
  readonly heading: string;
  readonly next: string | undefined;
  readonly links: readonly { readonly text: string; readonly href: string }[];
}

const ERROR_CODES = '/docs/errors';
const RETRY = 'Try again';

/** Headings by code, and what to do next where the message does not say it. */
const WORDS: Readonly<Record<string, readonly [heading: string, next?: string]>> = {
  bad_request: ['The request is not valid', 'Go back, and check what you entered.'],
  conflict: ['It was changed meanwhile', 'Open the page again to see how it is now.'],
  forbidden: ['This is not allowed'],
  internal_error: [
    'Something went wrong',
    'Try again. If it happens again, tell support the request below.',
  ],
  method_not_allowed: ['This page cannot be opened like this', 'Open it from the menu.'],
  not_found: ['Page not found', 'Check the address. The page may have moved or been deleted.'],
  payload_too_large: ['Too much was sent', 'Go back, and send less.'],
  rate_limited: ['Too many requests', 'Wait a moment, then try again.'],
  service_unavailable: [
    'The service is not available right now',
    'Nothing was changed. Try again in a moment.',
  ],
  tenant_suspended: ['The organization is suspended', 'The operator of this server knows why.'],
  unauthorized: ['You are not signed in', 'Sign in, then open the page again.'],
  validation_failed: ['Something is not valid', 'Go back, and check what you entered.'],
};

/** Headings of messages that say themselves what to do next, by their beginning. */
const OF_MESSAGES: readonly (readonly [start: string, heading: string])[] = [
  ['This page has expired', 'This page has expired'],
  ['You have already answered this', 'Nothing more to answer'],
  ['You have signed out, or another account', 'Your session has changed'],
  ['This page belongs to a sign-in', 'Started in another browser'],
  ['Your browser has to accept cookies', 'Cookies are needed'],
];

const RETRIED: readonly number[] = [429, 500, 503];

/**
 * Words for an error of a page.
 *
 * @param page where it happened: the path with its query if it was opened by GET, and whether somebody is signed in
 */
export function wordsForPageError(
  { code, status, message }: Pick<PageError, 'code' | 'status' | 'message'>,
  page: { readonly path: string | undefined; readonly isSignedIn: boolean },
): PageErrorWords {
  const said = OF_MESSAGES.find(([start]) => message.startsWith(start))?.[1];
  const [heading, next] = said === undefined ? (WORDS[code] ?? ['This did not work']) : [said];
  return { heading, next, links: linksFor({ code, status }, page) };
}

/** The pages of this server that help after an error: the same again, a start, and the explanation of its code. */
export function linksFor(
  { code, status }: Pick<PageError, 'code' | 'status'>,
  page: Parameters<typeof wordsForPageError>[1],
): PageErrorWords['links'] {
  const retry = RETRIED.includes(status) && isOwnPath(page.path) ? page.path : undefined;
  return [
    ...(retry === undefined ? [] : [{ text: RETRY, href: retry }]),
    startFor(status, page.isSignedIn),
    ...linksForCode(code),
  ];
}

/** After a failure of the server it may not be known whether somebody is signed in. `/` is right for both. */
function startFor(status: number, isSignedIn: boolean): PageErrorWords['links'][number] {
  if (isSignedIn) return { text: 'Go to settings', href: '/settings' };
  return status >= 500
    ? { text: 'Go to the start page', href: '/' }
    : { text: 'Sign in', href: '/login' };
}

/** The explanation of a code of the API, or of OAuth. */
function linksForCode(code: string): PageErrorWords['links'] {
  if (!Object.hasOwn(PROBLEMS, code) && !Object.hasOwn(OAUTH_ERROR_CODES, code)) return [];
  return [{ text: 'What the code means', href: `${ERROR_CODES}#${code}` }];
}

/** Whether a link to it stays on this server: `//host` and `/\host` would not. */
function isOwnPath(path: string | undefined): path is string {
  return path !== undefined && /^\/(?![/\\])/.test(path);
}
