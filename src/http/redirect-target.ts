/**
 * The kind of a redirect URI: a site, a program that listens on this device, or an app that claims a scheme. Only a site
 * is authenticated.
 */
export interface RedirectTarget {
  readonly redirectKind: 'web' | 'device' | 'app';
  /** For people: a host, `this device (127.0.0.1)` or `cursor://`. */
  readonly redirectHost: string;
}

/**
 * Describes a redirect URI for users.
 * @throws TypeError for an invalid URL
 */
export function describeRedirect(redirectUri: string): RedirectTarget {
  const { protocol, host, hostname } = new URL(redirectUri);
  if (!/^https?:$/.test(protocol)) return { redirectKind: 'app', redirectHost: `${protocol}//` };
  return /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(hostname)
    ? { redirectKind: 'device', redirectHost: `this device (${hostname})` }
    : { redirectKind: 'web', redirectHost: host };
}
