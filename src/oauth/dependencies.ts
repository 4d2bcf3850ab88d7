import type { Context, Middleware } from 'koa';
import type { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import type { RefusedSignIns } from '../audit/index.js';
import type { ClientLogos } from '../clients/index.js';
import type {
  ActivityRecorder,
  GuardedState,
  ImportedPrefixes,
  Keyring,
  Lookup,
  Presentations,
  Proofs,
  SecretFormat,
  Verifier,
} from '../credentials/index.js';
import type { BrowserSecrets } from '../http/pages/browser-secret.js';
import type { Csrf } from '../http/pages/csrf.js';
import type { Pages } from '../http/pages/pages.js';
import type { Mail } from '../mail/index.js';
import type { Outbound } from '../outbound/index.js';
import type { ServerAuthentication } from '../resource-servers/index.js';
import type { SignInProviders } from '../sign-in-providers/index.js';
import type { SpaceContextResolver } from '../spaces/index.js';
import type { SigningKeys } from '../signing-keys/index.js';
import type { OAuthViews } from './authorize/views.js';

/** OAuth's part of the configuration, by the names of its environment variables. */
export interface OAuthSettings {
  readonly ISSUER: string;
  readonly TOKEN_BRAND: string;
  readonly RATE_LIMIT_AUTHORIZE_PER_MINUTE: number;
  readonly RATE_LIMIT_REGISTRATION_PER_MINUTE: number;
  readonly REDIRECT_HOSTS_ALLOWED: readonly string[];
  readonly CLIENT_DOCUMENT_HOSTS_ALLOWED: readonly string[];
  readonly CLIENT_DOCUMENT_HOSTS_DENIED: readonly string[];
  readonly REFRESH_GRACE_SECONDS: number;
  readonly GRANT_MAX_DAYS: number;
}

export interface OAuthDependencies {
  readonly settings: OAuthSettings;
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly prefixes: ImportedPrefixes;
  readonly lookup: Lookup<'clients' | 'clients_by_id' | 'accounts' | 'refresh_tokens'>;
  readonly verifier: Verifier;
  readonly activity: Pick<ActivityRecorder, 'noteUse'>;
  readonly spaceContext: Pick<SpaceContextResolver, 'enter'>;
  /** The names of headers with the product's brand. */
  readonly headers: { readonly space: string };
  readonly proofs: Proofs;
  readonly presentations: Presentations;
  readonly servers: ServerAuthentication;
  /** Admits any principal, with any scopes. */
  readonly guard: Middleware<GuardedState>;
  /** Admits service credentials with the scope `introspect`. */
  readonly introspectionGuard: Middleware<GuardedState>;
  readonly signingKeys: SigningKeys;
  readonly pages: Pages<OAuthViews>;
  readonly browsers: BrowserSecrets;
  readonly csrf: Csrf;
  readonly clientAddress: (request: Context['req']) => string;
  /** Logos of clients, for pages of signed-in users. */
  readonly logos: Pick<ClientLogos, 'pathOf'>;
  /** Fetches documents of clients. */
  readonly outbound: Outbound;
  readonly mail: Mail;
  readonly refusedSignIns: RefusedSignIns;
  readonly providers: SignInProviders;
  /** The page for users who cancel a sign-out. */
  readonly home: string;
  /** The login page that leads back to a path. */
  readonly loginFor: (path: string) => string;
  readonly register: Registry;
  /** The monotonic clock of sliding windows, in milliseconds since the epoch. */
  readonly now: () => number;
}
