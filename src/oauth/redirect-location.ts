/**
 * The redirect URI with the parameters of an authorization response appended to its query.
 *
 * The URI stays as registered, to the byte (RFC 6749 §3.1.2): a `URL` would write its query, its
 * percent-encodings and its host in another way, and an exact comparison at the client would fail.
 *
 * @param uri a registered redirect URI, without a fragment
 */
export function redirectLocation(
  uri: string,
  parameters: Readonly<Record<string, string>>,
): string {
  const separator = uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?';
  return uri + separator + new URLSearchParams(parameters).toString();
}
