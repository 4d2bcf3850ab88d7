import type { DataSource } from 'typeorm';
import type { Accounts } from '../../accounts/index.js';
import type { Keyring } from '../../credentials/index.js';
import type { Mail } from '../../mail/index.js';
import type { ConsoleSessions, SignInPage } from '../../oauth/index.js';
import type { SignInProviders } from '../../sign-in-providers/index.js';
import type { ConfirmationGate } from './confirmation-gate.js';
import type { ShowPage } from '../settings-views.js';

export interface AccountPageDependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly accounts: Accounts;
  readonly mail: Mail;
  readonly showPage: ShowPage;
  readonly signInPage: SignInPage;
  readonly sessions: ConsoleSessions;
  readonly providers: SignInProviders;
  readonly confirmationGate: ConfirmationGate;
}
