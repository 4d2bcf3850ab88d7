/** Longer texts are refused. */
const MAX_LENGTH = 2048;

/** The resources that this server itself is: the API, which is the default, and the issuer. */
export function ownResources(issuer: string): readonly [string, string] {
  return [`${issuer}/api/v1`, issuer];
}

/** Characters that no URI holds (RFC 3986 §2), and the start of a fragment, which RFC 8707 §2 forbids. */
const NOT_IN_RESOURCES = /[^\x21-\x7e]|["#<>\\^`{|}]/;

/** Matches scheme, optional authority, and path. The query is not compared. */
const PARTS = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?]*))?([^?]*)/i;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/**
 * Writes the identifier of a resource (RFC 8707 §2) in canonical form: scheme and host in lower case, without default
 * port, trailing slash and query. Path and other ports are not changed. Unlike in `URL`, dots and percent signs in a
 * path are not resolved: `/x/../api` and `/api` are different resources.
 *
 * @returns `undefined` if the text is not an absolute URI, has a fragment, or holds credentials
 */
export function canonicalResource(text: string): string | undefined {
  if (text.length > MAX_LENGTH || NOT_IN_RESOURCES.test(text)) return undefined;
  const [, written = '', authority, path = ''] = PARTS.exec(text) ?? [];
  const scheme = written.toLowerCase();
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  if (scheme === '' || authority?.includes('@')) return undefined;
  if (authority === undefined) return trimmed === '' ? undefined : `${scheme}:${trimmed}`;
  const host = hostOf(scheme, authority.toLowerCase());
  return host === '' ? undefined : `${scheme}://${host}${trimmed}`;
}

function hostOf(scheme: string, authority: string): string {
  const port = DEFAULT_PORTS[scheme];
  const isDefault = port !== undefined && authority.endsWith(port);
  // RFC 3986 §3.2.3: an empty port is the default one.
  return (isDefault ? authority.slice(0, -port.length) : authority).replace(/:$/, '');
}

/**
 * Finds the resource that an indicator names.
 *
 * @param resources registered identifiers
 * @returns the registered identifier; `undefined` if the indicator matches none
 */
export function findResource(resources: Iterable<string>, indicator: string): string | undefined {
  const canonical = canonicalResource(indicator);
  if (canonical === undefined) return undefined;
  for (const resource of resources) {
    if (resource === indicator || canonicalResource(resource) === canonical) return resource;
  }
  return undefined;
}
