/**
 * The redirect URI with the parameters of an authorization response appended to its query.
 *
 * The URI stays byte for byte as registered (RFC 6749 §3.1.2). A `URL` would normalize it, and the client's exact
 * comparison would fail.
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
