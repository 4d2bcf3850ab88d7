import { type Account, createAccountStore, markOf, NO_PASSWORD } from '../../accounts/index.js';
import { passwordFault } from '../../accounts/password-policy.js';
import { emailAddress } from '../../http/email-address.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import { text } from '../../http/validation.js';
import { titleOf } from '../../scopes/roles.js';
import { LEAVE } from './paths.js';
import { addressIn, type PersonalContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { AccountPageDependencies } from './dependencies.js';
import type { ProfilePage } from './views.js';

const PAGE = '/settings/profile';
const NAME = `${PAGE}/name`;
const EMAIL = `${PAGE}/email`;
const PASSWORD = `${PAGE}/password`;

const NOTICES: ReadonlyMap<string, string> = new Map([
  ['name', 'Your name is saved.'],
  [
    'email-sent',
    'A mail with a link is on its way. Your address changes when you confirm it there.',
  ],
  ['email', 'Your email address is confirmed.'],
  ['password', 'Your password is changed. All your other sessions have ended.'],
  ['left', 'You have left the organization.'],
  ['confirmed', 'You have confirmed that it is you. For 15 minutes you are not asked again.'],
]);

const NAME_FAULT = 'Enter a name of 1 to 100 characters.';
const NAME_CHANGED =
  'Your name was changed meanwhile, in another window or by the operator. Save again to use this one.';
const personName = text(100);

/** Content of a submitted form, and its faults. */
interface Typed {
  readonly status: number;
  readonly name?: { readonly value: string; readonly error?: string };
  readonly email?: { readonly value: string; readonly error?: string };
  readonly password?: ProfilePage['password']['errors'];
}

/** `/settings/profile`: the visitor's name, address and password. */
export function createProfilePages(dependencies: AccountPageDependencies): SettingsRoute[] {
  const view = createProfileView(dependencies);
  const changes: readonly ProfileForm[] = [
    {
      path: NAME,
      change: createRename(dependencies, view),
      typed: (value) => ({ status: 200, name: { value: value('name').slice(0, 200) } }),
    },
    {
      path: EMAIL,
      change: createEmailRequest(dependencies, view),
      typed: (value) => ({ status: 200, email: { value: value('email').slice(0, 300) } }),
    },
    { path: PASSWORD, change: createPasswordChange(dependencies, view) },
  ];
  const access = { page: PAGE } as const;
  return [
    { method: 'GET', path: PAGE, access, handle: (ctx) => view.show(ctx, ctx.state.personal) },
    ...changes.map(({ path, change, typed }): SettingsRoute => ({
      method: 'POST',
      path,
      access,
      handle: (ctx) => change(ctx, ctx.state.personal),
      ...(typed && {
        restore: (ctx) => {
          const { form, personal } = ctx.state;
          return view.show(
            ctx,
            personal,
            typed((name) => form.get(name) ?? ''),
          );
        },
      }),
    })),
    // The forms have no pages of their own.
    ...changes.map(({ path }): SettingsRoute => ({
      method: 'GET',
      path,
      access,
      handle: (ctx) => seeOther(ctx, ctx.state.personal.href(PAGE)),
    })),
  ];
}

/** A form of the page, and how its fields are shown again. Passwords are not. */
interface ProfileForm {
  readonly path: string;
  readonly change: (ctx: SettingsContext, at: PersonalContext) => Promise<void>;
  readonly typed?: (value: (name: string) => string) => Typed;
}

interface ProfileView {
  /** @throws Problem `not_found` if the account was deleted meanwhile */
  find(at: PersonalContext): Promise<Account>;
  show(ctx: SettingsContext, at: PersonalContext, typed?: Typed): Promise<void>;
}

function createProfileView({
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
          problem: problem?.text,
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

function passwordState(
  isAccepted: boolean,
  { passwordHash }: Account,
): ProfilePage['password']['state'] {
  if (!isAccepted) return 'off';
  return passwordHash === NO_PASSWORD ? 'none' : 'set';
}

function createRename({ accounts }: AccountPageDependencies, view: ProfileView) {
  return async (ctx: SettingsContext, at: PersonalContext): Promise<void> => {
    const value = ctx.state.form.get('name') ?? '';
    const name = personName.safeParse(value).data;
    if (name === undefined) {
      return view.show(ctx, at, {
        status: 422,
        name: { value: value.slice(0, 200), error: NAME_FAULT },
      });
    }
    const seen = singleValue(ctx.state.form, 'seen_name');
    if (!(await accounts.profile.rename(at.accountId, name, at.actor, seen))) {
      return view.show(ctx, at, { status: 409, name: { value: name, error: NAME_CHANGED } });
    }
    return seeOther(ctx, at.href(PAGE, { done: 'name' }));
  };
}

/** Sends a link to the new address. The address changes when the link is followed. */
function createEmailRequest({ accounts, mail }: AccountPageDependencies, view: ProfileView) {
  return async (ctx: SettingsContext, at: PersonalContext): Promise<void> => {
    const value = ctx.state.form.get('email') ?? '';
    const refuse = (status: number, error: string) =>
      view.show(ctx, at, { status, email: { value: value.slice(0, 300), error } });
    const email = emailAddress.safeParse(value).data;
    if (email === undefined) return refuse(422, 'Enter an email address.');
    if (!mail.isSent) return refuse(409, 'This server sends no mail.');
    const account = { id: at.accountId, email: ctx.state.visitor.email };
    const verdict = await accounts.profile.requestConfirmation(account, email);
    if (!verdict.isAllowed) {
      ctx.set('Retry-After', String(verdict.retryAfterSeconds));
      return refuse(429, 'Too many mails were sent. Try again later.');
    }
    return seeOther(ctx, at.href(PAGE, { done: 'email-sent' }));
  };
}

/** Changes the password. It asks for the current one, within the limits of sign-ins. */
function createPasswordChange(
  { accounts, providers, signInPage, sessions }: AccountPageDependencies,
  view: ProfileView,
) {
  return async (ctx: SettingsContext, at: PersonalContext): Promise<void> => {
    if (!providers.passwordSignIn) throw new Problem('forbidden', 'Passwords are switched off.');
    const { form } = ctx.state;
    const [current = '', password = '', repeated = ''] = ['current', 'password', 'repeated'].map(
      (name) => form.get(name) ?? '',
    );
    const fault = passwordFault(password);
    const errors = {
      ...(current === '' && { current: 'Enter your current password.' }),
      ...(fault !== undefined && { password: `The new password ${fault}.` }),
      ...(fault === undefined && password !== repeated && { repeated: 'The two are different.' }),
    };
    if (Object.keys(errors).length > 0)
      return view.show(ctx, at, { status: 422, password: errors });
    const account = await view.find(at);
    const checked = await signInPage.check(ctx, account.email, current);
    if (checked.account === undefined) {
      return view.show(ctx, at, { status: checked.status, password: { current: checked.reason } });
    }
    // The check may have renewed the hash of the same password, so it is read again.
    const { passwordHash } = await view.find(at);
    const isSame = markOf(passwordHash) === checked.account.passwordMark;
    const by = { id: account.id, passwordHash, sessionId: at.sessionId };
    if (!isSame || !(await accounts.passwords.change(by, password, at.actor))) {
      throw new Problem('conflict', 'The password was changed meanwhile. Open the page again.');
    }
    // The session continues under a new secret, so that a copy of its cookie ends too.
    const changed = await view.find(at);
    await sessions.begin(ctx, {
      id: changed.id,
      passwordMark: markOf(changed.passwordHash),
    });
    return seeOther(ctx, at.href(PAGE, { done: 'password' }));
  };
}
