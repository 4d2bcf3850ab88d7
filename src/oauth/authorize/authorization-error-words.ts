import { errors } from 'oidc-provider';

import { nearestTo } from '../../http/errors/nearest.js';
import { OAUTH_SCOPES } from '../../scopes/catalog.js';
import { UnknownScope } from './authorization-request.js';

interface Words {
  readonly heading: string;
  readonly message: string;
}

/** An error as its page shows it. The texts are chosen by code and never quote the request. */
export interface DescribedError extends Words {
  readonly status: number;
  readonly code: string;
  /** Requested scopes that do not exist, shown as quoted text. */
  readonly scopes?: readonly string[];
}

const NOT_SUPPORTED: Words = {
  heading: 'The app’s request is not supported',
  message: 'The app used an option that is not supported here. Its developer can fix that.',
};

const DEFAULT_WORDS: Words = {
  heading: 'The app’s request failed',
  message:
    'Go back to the app and start again. If that does not help, tell its developer the code.',
};

const EXPIRED: Words = {
  heading: 'This page has expired',
  message: 'This page has expired. Go back to the app and start again.',
};

const NO_DOCUMENT: Words = {
  heading: 'The app’s description cannot be used',
  message:
    'The app describes itself at a web address, which could not be read, or whose content is not valid. Try again later. If that does not help, tell its developer the code.',
};

/** `invalid_client` because the client's metadata document could not be fetched, or is not usable. */
export class NoDocument extends errors.CustomOIDCProviderError {
  constructor() {
    super('invalid_client', 'the client metadata document could not be used');
    Object.assign(this, { status: 400, statusCode: 400, allow_redirect: false });
  }
}

/** `invalid_request_uri` for a pushed request that is unknown, used or expired (RFC 9126 §4). */
export class UnknownPushedRequest extends errors.CustomOIDCProviderError {
  constructor() {
    super('invalid_request_uri', 'the pushed request is unknown, used or expired');
    Object.assign(this, { status: 400, statusCode: 400, allow_redirect: false });
  }
}

/** Texts for users, by code. OAuth's `error_description` is for developers and may quote the request. */
const WORDS: ReadonlyMap<string, Words> = new Map<string, Words>([
  [
    'invalid_client',
    {
      heading: 'The app is not registered',
      message:
        'This app is unknown here, or no longer allowed. It has to register again: remove the connection in the app, then add it again.',
    },
  ],
  [
    'invalid_redirect_uri',
    {
      heading: 'The app’s return address is not registered',
      message:
        'The app asked to send you to an address that it did not register. You were not sent there. Its developer can fix that.',
    },
  ],
  [
    'invalid_request',
    {
      heading: 'The app’s request is not valid',
      message:
        'Something in the app’s request is missing, repeated, too long or contradictory. Its developer can fix that.',
    },
  ],
  [
    'invalid_scope',
    {
      heading: 'The app asked for an unknown permission',
      message:
        'The app asked for a permission that does not exist here, or that it did not register for. Its developer can fix that.',
    },
  ],
  [
    'invalid_target',
    {
      heading: 'The app asked for an unknown API',
      message:
        'The app asked for access to an API that does not exist here. Its developer can fix that.',
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

/** The texts for a code, or general ones. */
export function wordsFor(code: string): Words {
  return WORDS.get(code) ?? DEFAULT_WORDS;
}

/** An unknown scope that may be shown: short, and neither an address nor a number. */
const SHOWABLE = /^[a-z_:,]{1,24}$/;
const MAX_SHOWN = 5;
/** Limits the edit-distance work: a request may hold thousands of names. */
const MAX_COMPARED = 20;

/**
 * The names that a page may quote. Anyone can write the request, and several free words could form a message. Scopes and
 * near misses are shown, and at most one other name.
 */
function shownOf(names: readonly string[]): readonly string[] {
  const compared = names.slice(0, MAX_COMPARED);
  const similar = new Set(compared.filter((name) => nearestTo(name, OAUTH_SCOPES) !== undefined));
  const other = compared.find((name) => !similar.has(name) && SHOWABLE.test(name));
  return compared.filter((name) => name === other || similar.has(name)).slice(0, MAX_SHOWN);
}

/** @param error of oidc-provider; any other error is described as an internal failure */
export function describeError(error: unknown): DescribedError {
  const isForClient = error instanceof errors.OIDCProviderError && error.expose;
  const code = isForClient ? error.error : 'server_error';
  const status = isForClient ? error.statusCode : 500;
  if (error instanceof errors.SessionNotFound) return { status, code, ...EXPIRED };
  if (error instanceof UnknownPushedRequest) return { status, code, ...EXPIRED };
  if (error instanceof NoDocument) return { status, code, ...NO_DOCUMENT };
  const names = error instanceof UnknownScope ? error.names : [];
  const scopes = shownOf(names);
  return { status, code, ...wordsFor(code), ...(scopes.length > 0 && { scopes }) };
}
