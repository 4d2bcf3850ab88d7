import { isAuthenticatedRedirect, type Client } from '../../clients/index.js';
import { describeRedirect } from '../../http/redirect-target.js';
import { redirectLocation } from './redirect-location.js';
import { shownClient, type WayBack } from './views.js';

/**
 * The link from an error page to the app: its redirect URI with an authorization response. Anybody can register a
 * client, so that a link to any registered URI would lend this server's name to any site (RFC 9700 §4.11.2). A link
 * needs a client that the operator has verified, and a URI that only this client receives. A change of the client's
 * redirect URIs ends its verification.
 *
 * @param redirectUri compared with the registered ones already
 * @param response the parameters of the authorization response: an error
 * @returns `undefined` if the page must not link to the app
 */
export function wayBackTo(
  client: Pick<Client, 'name' | 'isVerified'> | undefined,
  redirectUri: string,
  response: Readonly<Record<string, string>>,
): WayBack | undefined {
  if (client?.isVerified !== true || !isAuthenticatedRedirect(redirectUri)) return undefined;
  return {
    name: shownClient(client).name,
    host: describeRedirect(redirectUri).redirectHost,
    href: redirectLocation(redirectUri, response),
  };
}

interface Noted {
  readonly state?: { wayBack?: WayBack | undefined };
}

/** Keeps a way back for an error page that the rest of the request may need. */
export function noteWayBack(ctx: { readonly state: object }, way: WayBack | undefined): void {
  Object.assign(ctx.state, { wayBack: way });
}

/** The way back that the request has noted. */
export function wayBackOf(ctx: object): WayBack | undefined {
  return (ctx as Noted).state?.wayBack;
}
