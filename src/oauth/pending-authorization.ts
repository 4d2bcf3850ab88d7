import type { Context } from 'koa';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';

import type { Client } from '../clients/client.entity.js';
import type { RequestState, RouteContext } from '../http/context.js';
import type { Csrf } from '../http/csrf.js';
import type { Pages } from '../http/pages.js';
import { Problem } from '../http/problem.js';
import type { Consents } from './consents.js';
import type { OAuthViews } from './page-data.js';
import { textOf } from './parameters.js';

/** What is known of an account on its pages. */
export interface PageAccount {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
}

/** What the pages of an authorization work with. */
export interface InteractionDependencies {
  readonly provider: () => Provider;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly consents: Consents;
  readonly isAuthenticatedRedirect: (uri: string) => boolean;
  readonly isRedirectOf: (client: Client, uri: string) => boolean;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  readonly clientAddress: (request: Context['req']) => string;
}

export type PageContext = RouteContext<RequestState>;

/** One authorization that waits for its user, with what its pages show. */
export interface PendingAuthorization {
  readonly uid: string;
  readonly interaction: Awaited<ReturnType<Provider['interactionDetails']>>;
  readonly client: Client;
  readonly redirectUri: string;
}

const EXPIRED = 'This page has expired. Go back to the app and start again.';
const NO_COOKIE =
  'Your browser has to accept cookies from this site. Allow them, then go back to the app and start again.';

/** @throws Problem `not_found` if this browser waits for no such authorization, or no longer */
export async function findPending(
  ctx: PageContext,
  { provider, findClient, isRedirectOf }: InteractionDependencies,
): Promise<PendingAuthorization> {
  const expired = new Problem('not_found', ctx.get('Cookie') === '' ? NO_COOKIE : EXPIRED);
  const interaction = await provider()
    .interactionDetails(ctx.req, ctx.res)
    .catch((error: unknown) => {
      throw error instanceof errors.SessionNotFound ? expired : error;
    });
  const client = await findClient(textOf(interaction.params, 'client_id'));
  const uid = String(ctx.params['uid']);
  const redirectUri = textOf(interaction.params, 'redirect_uri');
  // The client may have been changed since it asked.
  const isRegistered = client !== undefined && isRedirectOf(client, redirectUri);
  if (interaction.uid !== uid || !isRegistered) throw expired;
  return { uid, interaction, client, redirectUri };
}

/** Hands the authorization back to the library, which goes on with it or ends it. */
export async function finish(ctx: PageContext, provider: Provider, result: object): Promise<void> {
  redirect(ctx, await provider.interactionResult(ctx.req, ctx.res, result as never));
}

export function redirect(ctx: PageContext, target: string): void {
  // A new request by GET, whatever this one was (RFC 9110 §15.4.4).
  ctx.redirect(target);
  ctx.status = 303;
}
