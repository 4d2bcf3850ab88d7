/** Longer ones are not looked at. */
const MAX_LENGTH = 2048;

/** RFC 3986 §2: characters that no URI holds. A fragment is refused by RFC 8707 §2. */
const NOT_IN_RESOURCES = /[^\x21-\x7e]|["#<>\\^`{|}]/;

/** Scheme, authority if there is one, and path; the query is not part of an identity here. */
const PARTS = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?]*))?([^?]*)/i;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: ':80', https: ':443' };

/**
 * Writes the identifier of a resource (RFC 8707 §2) in the form in which identifiers are compared:
 * scheme and host in lower case, without a default port, a slash at the end, and a query. Path and port
 * stay as they are written. Dots and percent signs in a path are not resolved, unlike in `URL`:
 * `/x/../api` is another resource than `/api`.
 *
 * @returns `undefined` for a text that is not an absolute URI, has a fragment, or holds credentials
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
 * @param resources identifiers, as they are registered
 * @returns the identifier as it is registered; `undefined` if the indicator names none of them
 */
export function findResource(resources: Iterable<string>, indicator: string): string | undefined {
  const canonical = canonicalResource(indicator);
  if (canonical === undefined) return undefined;
  for (const resource of resources) {
    if (resource === indicator || canonicalResource(resource) === canonical) return resource;
  }
  return undefined;
}
