import type { Context } from 'koa';
import type Provider from 'oidc-provider';

import type { Client, ClientLogos } from '../../clients/index.js';
import type { BrowserSecrets } from '../../http/pages/browser-secret.js';
import type { RequestState, RouteContext } from '../../http/context.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Pages } from '../../http/pages/pages.js';
import { Problem } from '../../http/errors/problem.js';
import { noteFacts } from '../../http/request-facts.js';
import type { Resources } from '../../resource-servers/index.js';
import type { Consents } from './consents.js';
import type {
  InteractionAnswer,
  InteractionPayload,
  InteractionResult,
  InteractionStore,
  StoredInteraction,
} from './interaction-store.js';
import type { OAuthViews } from './views.js';
import {
  denialOf,
  noteSealedWayBack,
  noteWayBack,
  noteWayBackOf,
  wayBackOf,
  wayBackTo,
  actionWithWayBack,
  type WayBackAccess,
} from './way-back.js';
import { textOf } from '../parameters.js';
import type { PushedRequests } from '../par/pushed-requests.js';
import { OAUTH_PATHS } from '../paths.js';

/** The account's members that pages show. */
export interface PageAccount {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
}

/** Dependencies for finding a request's interaction. */
export interface InteractionAccess extends WayBackAccess {
  readonly browsers: BrowserSecrets;
  readonly interactions: InteractionStore;
}

/** Dependencies of an authorization's pages. */
export interface InteractionDependencies extends InteractionAccess {
  readonly provider: () => Provider;
  readonly pages: Pages<OAuthViews>;
  readonly csrf: Csrf;
  readonly consents: Consents;
  /** Runs work in one transaction of all stores. */
  readonly transaction: <Result>(work: () => Promise<Result>) => Promise<Result>;
  readonly resources: Resources;
  readonly isAuthenticatedRedirect: (uri: string) => boolean;
  /** The host of the metadata document that a client id names. */
  readonly documentHostOf: (clientId: string) => string | undefined;
  readonly logos: Pick<ClientLogos, 'pathOf'>;
  readonly pushed: PushedRequests;
  readonly findAccount: (id: string) => Promise<PageAccount | undefined>;
  readonly clientAddress: (request: Context['req']) => string;
}

export type PageContext = RouteContext<RequestState>;

/** A pending authorization, with the members that its pages show. */
export interface PendingAuthorization {
  readonly uid: string;
  readonly interaction: InteractionPayload;
  readonly client: Client;
  readonly redirectUri: string;
}

/** A pending authorization, or the response of an answered one while it can be repeated. */
export type FoundAuthorization =
  | { readonly isAnswered: false; readonly pending: PendingAuthorization }
  | { readonly isAnswered: true; readonly answer: InteractionAnswer };

const START_AGAIN = 'Go back to the app and start again.';

/**
 * Finds the interaction that the request's path names, for the browser that began it.
 *
 * @param read `find`, or `lock` in a transaction
 * @throws Problem `not_found` if it does not exist, or another browser began it
 */
export async function findInteraction(
  ctx: PageContext,
  access: InteractionAccess,
  read: 'find' | 'lock',
): Promise<StoredInteraction> {
  const { browsers, interactions } = access;
  const found = await interactions[read](ctx, uidOf(ctx));
  if (found === undefined) {
    await noteSealedWayBack(ctx, access);
    throw new Problem('not_found', `This page has expired. ${START_AGAIN}`);
  }
  const { interaction } = found;
  if (found.isOfThisBrowser) {
    if (interaction.isAnswered) await noteWayBackOf(ctx, interaction.params, access);
    return interaction;
  }
  throw new Problem(
    'not_found',
    browsers.received(ctx).length === 0
      ? 'Your browser has to accept cookies from this site. Allow them, then go back to the app and start again.'
      : `This page belongs to a sign-in that was started in another browser. ${START_AGAIN}`,
  );
}

/**
 * Finds the authorization of a page.
 *
 * @throws Problem `not_found` as `findInteraction` does; if the session that began it has ended or belongs to another
 *   account; if its client was deleted; if it was answered too long ago
 */
export async function findAuthorization(
  ctx: PageContext,
  dependencies: InteractionDependencies,
  read: 'find' | 'lock' = 'find',
): Promise<FoundAuthorization> {
  const stored = await findInteraction(ctx, dependencies, read);
  if (stored.isAnswered) {
    const { answer } = stored;
    if (answer === undefined) throw alreadyAnswered();
    return { isAnswered: true, answer };
  }
  const interaction = stored.payload;
  const client = await dependencies.findClient(textOf(interaction.params, 'client_id'));
  const redirectUri = textOf(interaction.params, 'redirect_uri');
  const isRedirect = client !== undefined && dependencies.isRedirectOf(client, redirectUri);
  if (isRedirect) {
    const denial = denialOf(interaction.params, dependencies.issuer);
    noteWayBack(ctx, wayBackTo(client, redirectUri, denial));
  }
  await assertSameSession(ctx, interaction, dependencies.provider());
  // The client's registration may have changed since the request.
  if (!isRedirect) {
    throw new Problem('not_found', `This page has expired. ${START_AGAIN}`);
  }
  noteFacts(ctx, { clientId: client.id, accountId: interaction.session?.accountId });
  return { isAnswered: false, pending: { uid: uidOf(ctx), interaction, client, redirectUri } };
}

/** The address that the form of a page is sent to. */
export function actionOf(
  ctx: PageContext,
  path: string,
  { interaction }: PendingAuthorization,
  access: InteractionAccess,
): string {
  const params = wayBackOf(ctx) === undefined ? undefined : interaction.params;
  return actionWithWayBack(path, params, access);
}

/** @throws Problem `not_found` unless the browser still has the session that began the interaction */
export async function assertSameSession(
  ctx: Context,
  { session, result }: InteractionPayload,
  provider: Provider,
): Promise<void> {
  const own = await provider.Session.get(ctx);
  const isSame = session?.uid === undefined || session.uid === own.uid;
  // Another account may have signed in in another tab since the form was sent.
  const login = result?.login?.accountId;
  const isTheirs = login === undefined || own.accountId === undefined || own.accountId === login;
  if (isSame && isTheirs) return;
  throw new Problem(
    'not_found',
    `You have signed out, or another account has signed in, since this page was opened. ${START_AGAIN}`,
  );
}

/** The problem for a page whose authorization was answered before. */
export function alreadyAnswered(): Problem {
  return new Problem('not_found', 'You have already answered this. Go back to the app.');
}

/** Stores a result, in the transaction that locks the interaction, and redirects to the resume endpoint. */
export async function finish(
  ctx: PageContext,
  { uid, interaction }: PendingAuthorization,
  { interactions, issuer }: InteractionAccess,
  result: object,
  { forgetsSession = false } = {},
): Promise<void> {
  const merged = { ...interaction.lastSubmission, ...result } as InteractionResult;
  await interactions.settle(uid, merged, forgetsSession);
  resume(ctx, issuer);
}

/** Redirects to the resume endpoint, which continues the request or repeats its response. */
export function resume(ctx: PageContext, issuer: string): void {
  redirect(ctx, `${issuer}${OAUTH_PATHS.authorize}/${uidOf(ctx)}`);
}

export function redirect(ctx: PageContext, target: string): void {
  // RFC 9110 §15.4.4
  ctx.redirect(target);
  ctx.status = 303;
}

function uidOf(ctx: PageContext): string {
  return String(ctx.params['uid']);
}
