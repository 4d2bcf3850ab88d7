import { errors } from 'oidc-provider';

import { nearestTo } from '../http/nearest.js';
import { OAUTH_SCOPES } from '../scopes/catalog.js';
import { UnknownScope } from './authorization-request.js';

interface Words {
  readonly heading: string;
  readonly message: string;
}

/** An error as its page shows it: our own words only, chosen by its code. */
export interface DescribedError extends Words {
  readonly status: number;
  readonly code: string;
  /** Names that were asked for in vain, shown as quoted text. */
  readonly scopes?: readonly string[];
}

const NOT_SUPPORTED: Words = {
  heading: 'The app’s request is not supported',
  message: 'The app asked in a way that is not supported here. Its developer can mend that.',
};

const OTHERWISE: Words = {
  heading: 'The app’s request cannot be answered',
  message:
    'Go back to the app and start again. If that does not help, tell its developer the code.',
};

const EXPIRED: Words = {
  heading: 'This page has expired',
  message: 'This page has expired. Go back to the app and start again.',
};

/** By code, for people. The protocol's own descriptions are for the app's developer, and may quote the request. */
const WORDS: ReadonlyMap<string, Words> = new Map<string, Words>([
  [
    'invalid_client',
    {
      heading: 'The app is not registered',
      message:
        'This app is not known here, or no longer admitted. It has to register again: remove the connection in the app, then add it again.',
    },
  ],
  [
    'invalid_redirect_uri',
    {
      heading: 'The way back to the app is not registered',
      message:
        'The app wants to be sent the answer at an address that it did not register. You were not sent there.',
    },
  ],
  [
    'invalid_request',
    {
      heading: 'The app’s request is not valid',
      message:
        'Something in the app’s request is missing, repeated, too long or contradictory. Its developer can mend that.',
    },
  ],
  [
    'invalid_scope',
    {
      heading: 'The app asked for an unknown permission',
      message:
        'The app asked for a permission that does not exist here, or that it did not register for.',
    },
  ],
  [
    'invalid_target',
    {
      heading: 'The app asked for an unknown API',
      message: 'The app asked for access to an API that is not known here.',
    },
  ],
  [
    'rate_limited',
    {
      heading: 'Too many requests',
      message: 'Too many sign-ins were started from your network. Wait a minute, then try again.',
    },
  ],
  [
    'server_error',
    {
      heading: 'Something went wrong',
      message: 'Something went wrong on our side. Go back to the app and start again.',
    },
  ],
  ...[
    'registration_not_supported',
    'request_not_supported',
    'request_uri_not_supported',
    'unsupported_response_mode',
    'unsupported_response_type',
  ].map((code) => [code, NOT_SUPPORTED] as const),
]);

/** The words for a code; general ones for a code that has none of its own. */
export function wordsFor(code: string): Words {
  return WORDS.get(code) ?? OTHERWISE;
}

/** The heading of a page that says that something went wrong on it. */
export function headingOf(code: string): string {
  return WORDS.get(code)?.heading ?? 'This did not work';
}

/** A name that is like none of ours, as it may be shown: short, and neither an address nor a number. */
const SHOWABLE = /^[a-z_:,]{1,24}$/;
const MAX_SHOWN = 5;
/** Comparing a name costs microseconds, and a request may hold thousands. */
const MAX_COMPARED = 20;

/**
 * The names that a page may quote. Anybody can write the request: names that are mistyped or not registered are shown, and one
 * other at most, because several words are a message.
 */
function shownOf(names: readonly string[]): readonly string[] {
  const compared = names.slice(0, MAX_COMPARED);
  const likeOurs = new Set(compared.filter((name) => nearestTo(name, OAUTH_SCOPES) !== undefined));
  const other = compared.find((name) => !likeOurs.has(name) && SHOWABLE.test(name));
  return compared.filter((name) => name === other || likeOurs.has(name)).slice(0, MAX_SHOWN);
}

/** @param error the library's; whatever else was thrown is a failure of ours */
export function describeError(error: unknown): DescribedError {
  const isForClient = error instanceof errors.OIDCProviderError && error.expose;
  const code = isForClient ? error.error : 'server_error';
  const status = isForClient ? error.statusCode : 500;
  if (error instanceof errors.SessionNotFound) return { status, code, ...EXPIRED };
  const names = error instanceof UnknownScope ? error.names : [];
  const scopes = shownOf(names);
  return { status, code, ...wordsFor(code), ...(scopes.length > 0 && { scopes }) };
}
