import type { Client } from '../../clients/index.js';
import { refuseRepeated, singleValue, type Form } from '../../http/body/form.js';
import type { ReadIdTokenHint } from './id-token-hint.js';
import { redirectLocation } from '../authorize/redirect-location.js';

/** A parsed logout request. */
export interface EndSessionRequest {
  /** The requesting client; `undefined` if the request names none, or contradicts itself. */
  readonly client: Client | undefined;
  /** Whether an id_token proves that the client was used by an account. */
  readonly isProven: boolean;
  /** The account that the id_token names. */
  readonly accountId: string | undefined;
  /** The registered URI to which the user is sent afterwards. */
  readonly target: { readonly uri: string; readonly state: string | undefined } | undefined;
  /** Whether the request named a URI that is not registered. */
  readonly isTargetRefused: boolean;
}

export interface EndSessionReaderDependencies {
  /** Finds a client that is not blocked. */
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly readHint: ReadIdTokenHint;
  readonly isRedirectOf: (registered: readonly string[], presented: string) => boolean;
}

/**
 * Reads the parameters of RP-Initiated Logout 1.0 §2. `logout_hint` and `ui_locales` are ignored.
 *
 * With a hint that this server did not issue, or that was issued to another client, no client is assumed and nothing is
 * redirected (§4).
 *
 * @throws Problem `bad_request` for a repeated parameter
 */
export async function readEndSessionRequest(
  form: Form,
  { findClient, readHint, isRedirectOf }: EndSessionReaderDependencies,
): Promise<EndSessionRequest> {
  refuseRepeated(form);
  const named = singleValue(form, 'client_id');
  const uri = singleValue(form, 'post_logout_redirect_uri');
  const token = singleValue(form, 'id_token_hint');
  const hint = token === undefined ? undefined : await readHint(token);
  const isContradicted =
    (token !== undefined && hint === undefined) ||
    (hint !== undefined && named !== undefined && hint.clientId !== named);
  const clientId = isContradicted ? undefined : (hint?.clientId ?? named);
  const client = clientId === undefined ? undefined : await findClient(clientId);
  const registered = client?.metadata.post_logout_redirect_uris ?? [];
  const target =
    uri !== undefined && isRedirectOf(registered, uri)
      ? { uri, state: singleValue(form, 'state') }
      : undefined;
  return {
    client,
    isProven: client !== undefined && hint !== undefined,
    accountId: isContradicted ? undefined : hint?.accountId,
    target,
    isTargetRefused: uri !== undefined && target === undefined,
  };
}

/** The URI with the request's `state`. */
export function addressOf({ uri, state }: NonNullable<EndSessionRequest['target']>): string {
  return state === undefined ? uri : redirectLocation(uri, { state });
}
