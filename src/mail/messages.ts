/** The data of each mail, by the name of its templates in `views/mail`. */
export interface Messages {
  /** Invites somebody to a tenant. `inviter` is a name or an email address. */
  readonly invitation: {
    readonly link: string;
    readonly tenant: string;
    readonly inviter: string;
    readonly role: string;
  };
  /** Leads to the page that sets a new password. */
  readonly 'reset-password': { readonly link: string };
  /** Asks the owner of an address to confirm it for an account. */
  readonly 'confirm-email': { readonly link: string; readonly account: string };
  /** Tells the former address of an account which address it has now. */
  readonly 'email-changed': { readonly email: string };
  readonly 'password-changed': { readonly link: string };
  /** Tells a user that an identity at a provider can, or cannot, sign in to the account any more. */
  readonly 'sign-in-changed': {
    readonly link: string;
    readonly provider: string;
    readonly email: string | null;
    readonly isLinked: boolean;
  };
  /** Tells a user that a key was created: for them, or by them for their organization. */
  readonly 'key-created': {
    readonly link: string;
    /** Such as `secret key`. */
    readonly kind: string;
    /** Whether it acts as the recipient. */
    readonly isPersonal: boolean;
    readonly name: string;
    readonly maskedKey: string;
    readonly tenant: string;
  };
  /** Tells a user that they allowed an app to use their account. */
  readonly 'app-connected': {
    readonly link: string;
    readonly app: string;
    readonly tenant: string;
  };
}

export type MessageKind = keyof Messages;

/** A mail whose data is complete. */
export type ComposableMail = {
  readonly [Kind in MessageKind]: { readonly kind: Kind; readonly data: Messages[Kind] };
}[MessageKind];

/**
 * A mail to one address. `reset-password` gets its link when it is sent, and only if an account has the address: the
 * request for it must not take longer for accounts that exist.
 */
export type OutgoingMail = (
  | Exclude<ComposableMail, { readonly kind: 'reset-password' }>
  | { readonly kind: 'reset-password'; readonly data?: undefined }
) & {
  /** An email address. */
  readonly to: string;
  /** Seconds after which the mail is of no use, such as the lifetime of its link. */
  readonly lifetimeSeconds: number;
};

type Subjects = { readonly [Kind in MessageKind]: (data: Messages[Kind]) => string };

/** Each subject follows the product's name and a colon. */
const SUBJECTS: Subjects = {
  invitation: ({ tenant }) => `you are invited to ${tenant}`,
  'reset-password': () => 'set a new password',
  'confirm-email': () => 'confirm your email address',
  'email-changed': () => 'your email address was changed',
  'password-changed': () => 'your password was changed',
  'sign-in-changed': ({ provider, isLinked }) =>
    `${provider} ${isLinked ? 'can sign in to your account now' : 'was disconnected from your account'}`,
  'key-created': ({ kind, name }) => `the ${kind} “${name}” was created`,
  'app-connected': ({ app }) => `“${app}” can use your account now`,
};

/** The longest subject. Longer names are cut. */
const MAX_SUBJECT = 150;

/** The subject of a mail: one line of bounded length. */
export function subjectOf<Kind extends MessageKind>(
  brandName: string,
  kind: Kind,
  data: Messages[Kind],
): string {
  const subject = `${brandName}: ${SUBJECTS[kind](data)}`.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}]+/gu,
    ' ',
  );
  const characters = Array.from(subject);
  return characters.length > MAX_SUBJECT
    ? `${characters.slice(0, MAX_SUBJECT).join('')}…`
    : subject;
}
