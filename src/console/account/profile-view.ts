import { type Account, createAccountStore, NO_PASSWORD } from '../../accounts/index.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import { titleOf } from '../../scopes/roles.js';
import { ago } from '../moments.js';
import { addressIn, type PersonalContext } from '../organization-context.js';
import type { SettingsContext } from '../settings-gate.js';
import type { AccountPageDependencies } from './dependencies.js';
import { EMAIL, LEAVE, LINK_PROVIDER, NAME, PASSWORD, UNLINK_PROVIDER } from './paths.js';
import type { ProfilePage } from './views.js';

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['name', 'Your name is saved.'],
  [
    'email-sent',
    'A mail with a link is on its way. Your address changes when you confirm it there.',
  ],
  ['email', 'Your email address is confirmed.'],
  ['password', 'Your password is changed. All your other sessions have ended.'],
  ['linked', 'The sign-in is connected. You can sign in there from now on.'],
  ['unlinked', 'The sign-in is disconnected. Your other sessions that began there have ended.'],
  ['left', 'You have left the organization.'],
  ['confirmed', 'You have confirmed that it is you. For 15 minutes you are not asked again.'],
]);

/** Content of a submitted form, and its faults. */
export interface Typed {
  readonly status: number;
  /** A problem at a sign-in provider. */
  readonly problem?: string;
  readonly name?: { readonly value: string; readonly error?: string };
  readonly email?: { readonly value: string; readonly error?: string };
  readonly password?: ProfilePage['password']['errors'];
}

/** The page of the visitor's account. */
export interface ProfileView {
  /** @throws Problem `not_found` if the account was deleted meanwhile */
  find(at: PersonalContext): Promise<Account>;
  show(ctx: SettingsContext, at: PersonalContext, typed?: Typed): Promise<void>;
}

export function createProfileView({
  dataSource,
  mail,
  providers,
  showPage,
}: AccountPageDependencies): ProfileView {
  const find = async (at: PersonalContext) => {
    const account = await createAccountStore(dataSource.manager).find(at.accountId);
    if (account === undefined) throw new Problem('not_found', 'Account not found.');
    return account;
  };
  return {
    find,
    async show(ctx, at, typed) {
      const account = await find(at);
      const query = new URLSearchParams(ctx.querystring);
      const done = singleValue(query, 'done') ?? '';
      const problem = typed === undefined ? providers.problemIn(query) : undefined;
      showPage(
        ctx,
        'profile',
        {
          title: 'Profile',
          notice: typed === undefined ? NOTICES.get(done) : undefined,
          problem: typed?.problem ?? problem?.text,
          name: {
            action: at.href(NAME),
            seen: account.name ?? '',
            value: account.name ?? '',
            ...typed?.name,
          },
          email: {
            action: at.href(EMAIL),
            current: account.email,
            value: account.email,
            isConfirmed: account.emailVerifiedAt !== null,
            isMailSent: mail.isSent,
            ...typed?.email,
          },
          password: {
            action: at.href(PASSWORD),
            state: passwordState(providers.passwordSignIn, account),
            errors: typed?.password ?? {},
          },
          providers: await shownProviders(providers, at),
          organizations: ctx.state.visitor.memberships.map((membership) => ({
            name: membership.tenantName,
            role: titleOf(membership.role),
            leave: membership.isTenantSuspended
              ? undefined
              : addressIn(membership.tenantSlug, at.environment, LEAVE),
          })),
        },
        { status: typed?.status ?? problem?.status ?? 200 },
      );
    },
  };
}

/** The providers that the account is connected to, and the others. */
async function shownProviders(
  providers: AccountPageDependencies['providers'],
  at: PersonalContext,
): Promise<ProfilePage['providers']> {
  const { links } = await providers.waysOf(at.accountId);
  if (links.length === 0 && providers.buttons.length === 0) return undefined;
  const linkedIds = new Set(links.map(({ id }) => id));
  return {
    link: at.href(LINK_PROVIDER),
    unlink: at.href(UNLINK_PROVIDER),
    linked: links.map(({ id, name, issuer, email, createdAt }) => {
      return { name, issuer, email, since: ago(createdAt), isOffered: id !== undefined };
    }),
    others: providers.buttons.filter(({ id }) => !linkedIds.has(id)),
  };
}

function passwordState(
  isAccepted: boolean,
  { passwordHash }: Account,
): ProfilePage['password']['state'] {
  if (!isAccepted) return 'off';
  return passwordHash === NO_PASSWORD ? 'none' : 'set';
}
