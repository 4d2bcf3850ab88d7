import { isAuthenticatedRedirect, type Client } from '../../clients/index.js';
import type { Keyring } from '../../credentials/index.js';
import { singleValue } from '../../http/body/form.js';
import { describeRedirect } from '../../http/redirect-target.js';
import { redirectLocation } from './redirect-location.js';
import { shownClient, type WayBack } from './views.js';
import { textOf, type Parameters } from '../parameters.js';

/** The members of an authorization request that its way back is made of. */
const MEMBERS = ['client_id', 'redirect_uri', 'state'] as const;
/** Bounds the way back in the address of a form. A longer request has none there. */
const MAX_SEALED = 2000;

/** Dependencies for the way back of a request whose page cannot be shown any more. */
export interface WayBackAccess {
  readonly issuer: string;
  readonly keyring: Pick<Keyring, 'sign' | 'isSigned'>;
  readonly isRedirectOf: (client: Client, uri: string) => boolean;
  readonly findClient: (id: string) => Promise<Client | undefined>;
}

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

/** Notes the way back of an authorization request, by which the user gives up. */
export async function noteWayBackOf(
  ctx: { readonly state: object },
  params: Parameters,
  { issuer, isRedirectOf, findClient }: WayBackAccess,
): Promise<void> {
  const client = await findClient(textOf(params, 'client_id'));
  const redirectUri = textOf(params, 'redirect_uri');
  if (client === undefined || !isRedirectOf(client, redirectUri)) return;
  noteWayBack(ctx, wayBackTo(client, redirectUri, denialOf(params, issuer)));
}

/** The authorization response with which a user gives up, with `state` and `iss` (RFC 9207) as every response. */
export function denialOf(params: Parameters, issuer: string): Readonly<Record<string, string>> {
  const state = textOf(params, 'state');
  return { error: 'access_denied', ...(state !== '' && { state }), iss: issuer };
}

/**
 * The address that a form of an authorization's page is sent to. It holds the request's way back, because the request is
 * deleted when it expires.
 *
 * @param params the request; `undefined` if its app gets no link
 */
export function actionWithWayBack(
  path: string,
  params: Parameters | undefined,
  { keyring }: Pick<WayBackAccess, 'keyring'>,
): string {
  if (params === undefined) return path;
  const members = MEMBERS.map((name) => textOf(params, name));
  const text = Buffer.from(JSON.stringify(members)).toString('base64url');
  if (text.length > MAX_SEALED) return path;
  return `${path}?back=${text}.${keyring.sign(signedText(path, text))}`;
}

/** Notes the way back that the address of a form holds. */
export async function noteSealedWayBack(
  ctx: { readonly state: object; readonly path: string; readonly querystring: string },
  access: WayBackAccess,
): Promise<void> {
  const sealed = singleValue(new URLSearchParams(ctx.querystring), 'back') ?? '';
  const [text = '', mac = ''] = sealed.split('.');
  if (text.length > MAX_SEALED || !access.keyring.isSigned(signedText(ctx.path, text), mac)) return;
  const values = JSON.parse(Buffer.from(text, 'base64url').toString()) as readonly string[];
  const params = Object.fromEntries(MEMBERS.map((name, index) => [name, values[index]]));
  await noteWayBackOf(ctx, params, access);
}

function signedText(path: string, text: string): string {
  return JSON.stringify(['way back', path, text]);
}
