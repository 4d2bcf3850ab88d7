import { parseUrl } from '../../http/url.js';

/** Ids are columns of indexes, whose entries have a maximum size. */
const MAX_LENGTH = 1000;

/**
 * The characters of RFC 3986 without the fragment's, the comma, and those that parsers treat differently. Ids are passed
 * in PostgreSQL's array literals, which a comma would split.
 */
const ALLOWED = /^https?:\/\/[\w\-.~:/?&=%@!$'()*+;[\]]+$/;
const LOOPBACK_HOST = /^(localhost|127\.0\.0\.1|\[::1\])$/;
const DOT_SEGMENT = /\/(\.|%2e){1,2}(\/|$)/i;
/** The suffix of a revocation's subject that limits it to a tenant. */
const TENANT_SUFFIX = '@tnt_';

/**
 * Whether a client id has the form of a URL that names a Client ID Metadata Document
 * (draft-ietf-oauth-client-id-metadata-document §3): https with a path, without dot segments, credentials and fragment,
 * written as parsers write it. `http` is for this machine only, and only where the outbound guard allows it.
 *
 * It does not tell whether the document exists.
 */
export function isDocumentUrl(text: string): boolean {
  if (text.length > MAX_LENGTH || !ALLOWED.test(text) || text.includes(TENANT_SUFFIX)) return false;
  const url = parseUrl(text);
  if (url === undefined || url.href !== text) return false;
  if (url.protocol === 'http:' && !LOOPBACK_HOST.test(url.hostname)) return false;
  const [path = ''] = text.slice(url.origin.length).split('?');
  return path.length > 1 && !DOT_SEGMENT.test(path) && url.username === '' && url.password === '';
}

/** The host of a document URL, as pages show it. */
export function documentHostOf(clientId: string): string | undefined {
  return isDocumentUrl(clientId) ? new URL(clientId).host : undefined;
}
