import type { Client } from '../clients/client.entity.js';
import { refuseRepeated, singleValue, type Form } from '../http/form.js';
import type { ReadIdTokenHint } from './id-token-hint.js';
import { redirectLocation } from './redirect-location.js';

/** A request to sign out, read. */
export interface EndSessionRequest {
  /** The app that asks; `undefined` if it does not say, or cannot be believed. */
  readonly client: Client | undefined;
  /** Whether an id_token proves that the app was used by an account of ours. */
  readonly isProven: boolean;
  /** The account that the app means, if it has proven one. */
  readonly accountId: string | undefined;
  /** Where the user is sent then: registered by the app. */
  readonly target: { readonly uri: string; readonly state: string | undefined } | undefined;
  /** Whether another address was named. */
  readonly isTargetRefused: boolean;
}

export interface EndSessionReaderDependencies {
  /** A client that may be used. */
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly readHint: ReadIdTokenHint;
  readonly isRedirectOf: (registered: readonly string[], presented: string) => boolean;
}

/**
 * Reads the parameters of RP-Initiated Logout 1.0 §2. `logout_hint` and `ui_locales` are allowed and
 * change nothing: the page names the account that is signed in.
 *
 * A hint that is not an id_token of ours, or another client's, takes the app's word for nothing: the
 * user is asked, and stays here (§4).
 *
 * @throws Problem `bad_request` for a parameter that comes twice
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

/** The address with the app's `state`. */
export function addressOf({ uri, state }: NonNullable<EndSessionRequest['target']>): string {
  return state === undefined ? uri : redirectLocation(uri, { state });
}
