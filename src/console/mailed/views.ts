/** Submits `email`. */
export interface ForgotPasswordPage {
  readonly csrf: string;
  readonly email: string;
  readonly error: string | undefined;
  /** Whether a mail may be on its way. The page is the same for an unknown address. */
  readonly isSent: boolean;
}

/** Submits `password` and `repeated`. */
export interface ResetPasswordPage {
  readonly csrf: string;
  /** The address of the account. */
  readonly email: string;
  readonly errors: Readonly<Partial<Record<'form' | 'password' | 'repeated', string>>>;
}

/** An invitation. Submits `id`, and for a new account `name`, `password` and `repeated`. */
export interface InvitationPage {
  readonly csrf: string;
  readonly id: string;
  readonly tenantName: string;
  readonly inviter: string;
  readonly role: string;
  readonly email: string;
  /**
   * `join`: signed in with the invited address. `create`: the address has no account. `sign_in`: it has one. `provider`:
   * it has none, and a provider creates it. `other`: somebody else is signed in.
   */
  readonly step: 'join' | 'create' | 'sign_in' | 'provider' | 'other';
  readonly signedInAs: string | undefined;
  readonly name: string;
  readonly errors: Readonly<Partial<Record<'form' | 'name' | 'password' | 'repeated', string>>>;
}

/** Asks to confirm an address. The form has no fields. */
export interface ConfirmEmailPage {
  readonly csrf: string;
  readonly email: string;
  /** The address of the signed-in account. */
  readonly account: string;
  /** Whether passwords are switched on. */
  readonly hasPasswords: boolean;
}

/** A link that cannot be used. */
export interface DeadLinkPage {
  readonly heading: string;
  readonly text: string;
  readonly next: { readonly text: string; readonly href: string } | undefined;
}

/** The pages that links in mails lead to, by the names of their templates. */
export interface MailedViews {
  readonly 'forgot-password': ForgotPasswordPage;
  /** In its place on a server that sends no mail. */
  readonly 'forgot-password-unsent': object;
  readonly 'reset-password': ResetPasswordPage;
  readonly invitation: InvitationPage;
  readonly 'confirm-email': ConfirmEmailPage;
  readonly 'dead-link': DeadLinkPage;
}
