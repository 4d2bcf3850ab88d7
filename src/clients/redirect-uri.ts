import { isPublicHost, type IsHostAllowed } from '../http/public-host.js';
import { parseUrl } from '../http/url.js';

const MAX_LENGTH = 2000;

/** Characters that RFC 3986 §2 does not allow. Parsers treat them differently. */
const NOT_IN_URIS = /[^\x21-\x7e]|["<>\\^`{|}]/;

/** Hosts for which `http` is allowed (RFC 8252 §7.3). */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d*)?(?=[/?]|$)/i;

/**
 * Schemes that execute, show or fetch something, or that start an app which obeys the URI without asking.
 */
const REFUSED_SCHEMES: ReadonlySet<string> = new Set(
  `javascript vbscript livescript jscript mocha data blob about file filesystem content resource res jar zip mk
   mhtml cid mid view-source feed wyciwyg livemark hcp help shell search search-ms browser chrome edge opera
   brave vivaldi safari devtools firefox ws wss ftp ftps sftp tftp gopher ldap ldaps smb cifs nfs afp dav davs
   webdav webdavs ssh telnet rlogin tn3270 rdp vnc dict finger whois git svn rsync imap imaps pop pop3 smtp
   intent android-app market prefs app-prefs app-settings package apt itms itms-apps itms-appss itms-services
   itmss shortcuts workflow steam mailto tel sms smsto mms mmsto callto facetime facetime-audio sip sips xmpp
   irc ircs news nntp snews geo maps webcal pkcs11 rtsp rtmp magnet ed2k bitcoin ethereum lightning wallet payto
   urn tag doi info ipfs ipns ni nih did openid openid4vp acrobat applescript x-apple x-man-page x-help-action
   message vnd`.split(/\s+/),
);

/** Groups of schemes: `ms-word:`, `chrome-extension:`, `web+…` (any site can claim it), `http+unix:`. */
const REFUSED_SCHEME =
  /^(ms|microsoft|windows|chrome|moz|edge|safari|x-apple|web|https?|wss?|jar)([-+]|$)|script$|-(extension|untrusted)$/;

/**
 * The reason why a URI cannot be registered as a redirect URI; `undefined` if it can.
 *
 * Allowed are `https` to public names, `http` to loopback on any port (RFC 8252 §7.3), and private-use schemes (§7.1).
 * Names are not resolved: browsers follow redirects, this server never does.
 *
 * @param isHostAllowed whether the operator allows a private host, with `https`
 * @returns a reason for the client's developer, which never quotes the URI
 */
export function redirectUriFault(uri: string, isHostAllowed?: IsHostAllowed): string | undefined {
  const fault = textFault(uri);
  if (fault !== undefined) return fault;
  // RFC 6749 §3.1.2, including an empty fragment.
  if (uri.includes('#')) return 'has a fragment';
  const scheme = schemeOf(uri);
  if (scheme === 'https') return publicHttpsFault(uri, isHostAllowed);
  return scheme === 'http' ? loopbackFault(uri) : privateUseFault(uri, scheme);
}

/** The reason why a URI is not an `https` URL with an allowed host; `undefined` if it is. */
export function publicHttpsFault(uri: string, isHostAllowed?: IsHostAllowed): string | undefined {
  const fault = textFault(uri) ?? hostFault(uri);
  if (fault !== undefined) return fault;
  if (schemeOf(uri) !== 'https') return 'is not an https URL';
  const isAdmitted = isPublicHost(new URL(uri).hostname, isHostAllowed);
  return isAdmitted ? undefined : 'leads to a private or reserved host';
}

/** The URI for comparison: without the port if it is `http` on loopback (RFC 8252 §7.3). */
export function withoutLoopbackPort(uri: string): string {
  return uri.replace(LOOPBACK, '$1');
}

/**
 * Whether a presented redirect URI equals the registered one byte for byte (RFC 9700 §4.1.3). The port on loopback may
 * differ for any `application_type`, because a native app gets a new one at each start.
 */
export function isRegisteredRedirect(registered: string, presented: string): boolean {
  if (presented === registered) return true;
  return (
    redirectUriFault(presented) === undefined &&
    withoutLoopbackPort(presented) === withoutLoopbackPort(registered)
  );
}

/** Whether a presented URI matches one of those that a client registered. */
export function isAnyRedirect(registered: readonly string[], presented: string): boolean {
  return registered.some((uri) => isRegisteredRedirect(uri, presented));
}

/**
 * Whether only the registered client can receive a redirect to the URI. Any app on a device can listen on loopback or
 * claim a private-use scheme (RFC 8252 §8.6).
 */
export function isAuthenticatedRedirect(uri: string): boolean {
  return schemeOf(uri) === 'https';
}

/** Whether the URI leads to an app on the user's device: loopback or a private-use scheme. */
export function isNativeRedirect(uri: string): boolean {
  return !isAuthenticatedRedirect(uri);
}

function schemeOf(uri: string): string {
  return (/^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1] ?? '').toLowerCase();
}

/** Faults that apply to every scheme. */
function textFault(uri: string): string | undefined {
  if (uri.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (NOT_IN_URIS.test(uri)) return 'holds characters that no URI may have';
  if (schemeOf(uri) === '' || parseUrl(uri) === undefined) return 'is not an absolute URI';
  // `@` alone means empty credentials, which parsers treat differently.
  if (authorityOf(uri).includes('@')) return 'contains credentials';
  return undefined;
}

/** The authority (RFC 3986 §3.2), or an empty text. */
function authorityOf(uri: string): string {
  return /^[^:]+:\/\/([^/?#]*)/.exec(uri)?.[1] ?? '';
}

/**
 * Requires the host in canonical form. Browsers accept `https:host`, `127.1`, `0x7f000001` and `%6cocalhost` as hosts;
 * other parsers read them differently.
 */
function hostFault(uri: string): string | undefined {
  const written = authorityOf(uri).toLowerCase().replace(/:\d*$/, '');
  if (written === '' || new URL(uri).hostname !== written) {
    return 'does not write its host in canonical form';
  }
  return undefined;
}

function loopbackFault(uri: string): string | undefined {
  const fault = hostFault(uri);
  if (fault !== undefined) return fault;
  const isLoopback = LOOPBACK_HOSTS.has(new URL(uri).hostname);
  return isLoopback ? undefined : 'uses http, which is for 127.0.0.1, [::1] and localhost only';
}

/**
 * RFC 8252 §7.1. A slash must follow the scheme: URIs without one mostly execute, call or show something.
 */
function privateUseFault(uri: string, scheme: string): string | undefined {
  const isRefused =
    scheme.length < 2 ||
    REFUSED_SCHEME.test(scheme) ||
    scheme.split('+').some((part) => REFUSED_SCHEMES.has(part));
  if (isRefused) return 'uses a scheme that is not allowed';
  return uri.slice(scheme.length + 1).startsWith('/')
    ? undefined
    : 'must have a slash after the scheme';
}
