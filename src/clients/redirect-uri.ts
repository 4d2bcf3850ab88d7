import ipaddr from 'ipaddr.js';

import { parseUrl } from '../http/url.js';

const MAX_LENGTH = 2000;

/** RFC 3986 §2: other characters are not part of a URI, and readers treat them differently. */
const NOT_IN_URIS = /[^\x21-\x7e]|["<>\\^`{|}]/;

/** Plain HTTP is for the machine that the browser runs on (RFC 8252 §7.3), under these names only. */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d*)?(?=[/?]|$)/i;

/**
 * Names that are resolved within a machine or a network, never on the Internet (RFC 6761, RFC 6762
 * appendix G, RFC 8375, RFC 9476; `corp`, `home`, `mail` are never delegated).
 */
const PRIVATE_SUFFIXES: readonly string[] =
  `localhost local localdomain localnet internal intranet intra private priv lan home homelan
   home.arpa in-addr.arpa ip6.arpa corp mail workgroup router gateway station belkin dlink
   invalid alt`.split(/\s+/);

/** Whether the operator allows a name that is not public, in canonical form and without a last dot. */
export type IsHostAllowed = (host: string) => boolean;

const NO_HOST: IsHostAllowed = () => false;

/**
 * Allows the hosts of a list: names, and suffixes that begin with a dot (`.lan` stands for every
 * name below `lan`).
 *
 * @param allowed in lower case
 */
export function createHostRule(allowed: readonly string[]): IsHostAllowed {
  return (host) =>
    allowed.some((entry) => (entry.startsWith('.') ? host.endsWith(entry) : host === entry));
}

/**
 * Schemes that run, show or fetch something instead of waking an app, or that wake one that does
 * what the URI says without asking.
 */
const REFUSED_SCHEMES: ReadonlySet<string> = new Set([
  ...['javascript', 'vbscript', 'livescript', 'jscript', 'mocha', 'data', 'blob', 'about'],
  ...[
    'file',
    'filesystem',
    'content',
    'resource',
    'res',
    'jar',
    'zip',
    'mk',
    'mhtml',
    'cid',
    'mid',
  ],
  ...['view-source', 'feed', 'wyciwyg', 'livemark', 'hcp', 'help', 'shell', 'search', 'search-ms'],
  ...['browser', 'chrome', 'edge', 'opera', 'brave', 'vivaldi', 'safari', 'devtools', 'firefox'],
  ...['ws', 'wss', 'ftp', 'ftps', 'sftp', 'tftp', 'gopher', 'ldap', 'ldaps', 'smb', 'cifs', 'nfs'],
  ...['afp', 'dav', 'davs', 'webdav', 'webdavs', 'ssh', 'telnet', 'rlogin', 'tn3270', 'rdp', 'vnc'],
  ...['dict', 'finger', 'whois', 'git', 'svn', 'rsync', 'imap', 'imaps', 'pop', 'pop3', 'smtp'],
  ...['intent', 'android-app', 'market', 'prefs', 'app-prefs', 'app-settings', 'package', 'apt'],
  ...[
    'itms',
    'itms-apps',
    'itms-appss',
    'itms-services',
    'itmss',
    'shortcuts',
    'workflow',
    'steam',
  ],
  ...['mailto', 'tel', 'sms', 'smsto', 'mms', 'mmsto', 'callto', 'facetime', 'facetime-audio'],
  ...[
    'sip',
    'sips',
    'xmpp',
    'irc',
    'ircs',
    'news',
    'nntp',
    'snews',
    'geo',
    'maps',
    'webcal',
    'pkcs11',
  ],
  ...['rtsp', 'rtmp', 'magnet', 'ed2k', 'bitcoin', 'ethereum', 'lightning', 'wallet', 'payto'],
  ...['urn', 'tag', 'doi', 'info', 'ipfs', 'ipns', 'ni', 'nih', 'did', 'openid', 'openid4vp'],
  ...['acrobat', 'applescript', 'x-apple', 'x-man-page', 'x-help-action', 'message', 'vnd'],
]);

/** Whole families: `ms-word:`, `chrome-extension:`, `web+…` (any site can claim it), `http+unix:`. */
const REFUSED_FAMILY =
  /^(ms|microsoft|windows|chrome|moz|edge|safari|x-apple|web|https?|wss?|jar)([-+]|$)|script$|-(extension|untrusted)$/;

/**
 * The reason why a URI cannot be registered as a redirect URI; `undefined` if it can.
 *
 * Admitted are `https` to public names, `http` to the loopback interface on any port (RFC 8252
 * §7.3) and private-use schemes (§7.1). A public name that resolves to a private address is not
 * noticed: the browser follows a redirect, this server never does.
 *
 * @param isHostAllowed the private names that the operator allows too, with `https`
 * @returns a few words for the client's developer, that never quote the URI
 */
export function redirectUriFault(
  uri: string,
  isHostAllowed: IsHostAllowed = NO_HOST,
): string | undefined {
  const fault = textFault(uri);
  if (fault !== undefined) return fault;
  // RFC 6749 §3.1.2: an empty fragment is one too.
  if (uri.includes('#')) return 'has a fragment';
  const scheme = schemeOf(uri);
  if (scheme === 'https') return publicHttpsFault(uri, isHostAllowed);
  return scheme === 'http' ? loopbackFault(uri) : privateUseFault(uri, scheme);
}

/** The reason why a URI is not an `https` URL on an admitted host; `undefined` if it is. */
export function publicHttpsFault(
  uri: string,
  isHostAllowed: IsHostAllowed = NO_HOST,
): string | undefined {
  const fault = textFault(uri) ?? hostFault(uri);
  if (fault !== undefined) return fault;
  if (schemeOf(uri) !== 'https') return 'is not an https URL';
  const isAdmitted = isAdmittedHost(new URL(uri).hostname, isHostAllowed);
  return isAdmitted ? undefined : 'leads to a private or reserved host';
}

/** The URI as it is compared: without the port if it is `http` on loopback (RFC 8252 §7.3). */
export function withoutLoopbackPort(uri: string): string {
  return uri.replace(LOOPBACK, '$1');
}

/**
 * Whether a redirect URI that an authorization request presents is the registered one: the same
 * to the byte (RFC 9700 §4.1.3), except for the port on loopback, which a native app gets from its
 * system at each start, whatever its `application_type`.
 */
export function isRegisteredRedirect(registered: string, presented: string): boolean {
  if (presented === registered) return true;
  return (
    redirectUriFault(presented) === undefined &&
    withoutLoopbackPort(presented) === withoutLoopbackPort(registered)
  );
}

/**
 * Whether only its owner can receive what is sent there. Any app on a device can listen on its
 * loopback interface or claim a private-use scheme (RFC 8252 §8.6).
 */
export function isAuthenticatedRedirect(uri: string): boolean {
  return schemeOf(uri) === 'https';
}

/** Whether it leads to an app on the user's own device: loopback or a private-use scheme. */
export function isNativeRedirect(uri: string): boolean {
  return !isAuthenticatedRedirect(uri);
}

function schemeOf(uri: string): string {
  return (/^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1] ?? '').toLowerCase();
}

/** What is wrong whatever the scheme. */
function textFault(uri: string): string | undefined {
  if (uri.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (NOT_IN_URIS.test(uri)) return 'holds characters that no URI may have';
  if (schemeOf(uri) === '' || parseUrl(uri) === undefined) return 'is not an absolute URI';
  // `@` alone is an empty name and password, which readers understand differently.
  if (authorityOf(uri).includes('@')) return 'holds credentials';
  return undefined;
}

/** What stands between `//` and the path; empty if nothing does. */
function authorityOf(uri: string): string {
  return /^[^:]+:\/\/([^/?#]*)/.exec(uri)?.[1] ?? '';
}

/**
 * The host must be written as it is read. Browsers take `https:host`, `127.1`, `0x7f000001` and
 * `%6cocalhost` for hosts, other readers take them for something else.
 */
function hostFault(uri: string): string | undefined {
  const written = authorityOf(uri).toLowerCase().replace(/:\d*$/, '');
  if (written === '' || new URL(uri).hostname !== written) {
    return 'does not spell its host in the plain way';
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
 * RFC 8252 §7.1. A slash must follow the scheme: what does without one is mostly something to
 * run, to call or to show.
 */
function privateUseFault(uri: string, scheme: string): string | undefined {
  const isRefused =
    scheme.length < 2 ||
    REFUSED_FAMILY.test(scheme) ||
    scheme.split('+').some((part) => REFUSED_SCHEMES.has(part));
  if (isRefused) return 'uses a scheme that is not allowed';
  return uri.slice(scheme.length + 1).startsWith('/')
    ? undefined
    : 'must go on with a slash after the scheme';
}

/** @param host in canonical form, as `URL` makes it */
function isAdmittedHost(host: string, isHostAllowed: IsHostAllowed): boolean {
  if (host.startsWith('[')) {
    const address = ipaddr.IPv6.parse(host.slice(1, -1));
    // Only 2000::/3 is assigned for the Internet. Forms that hold an IPv4 address lie outside.
    return address.range() === 'unicast' && address.match(ipaddr.IPv6.parse('2000::'), 3);
  }
  if (ipaddr.IPv4.isValid(host)) return ipaddr.IPv4.parse(host).range() === 'unicast';
  // A URL's parser lets characters through that are not in any name of the DNS, such as `*`.
  if (!/^[a-z0-9.-]+$/.test(host)) return false;
  // A dot at the end only says that the name is complete.
  const labels = host.replace(/\.$/, '').split('.');
  if (labels.includes('')) return false;
  const name = labels.join('.');
  return isPublicName(name) || isHostAllowed(name);
}

function isPublicName(name: string): boolean {
  if (!name.includes('.')) return false;
  return !PRIVATE_SUFFIXES.some((suffix) => name === suffix || name.endsWith(`.${suffix}`));
}
