import { markOf } from '../../accounts/index.js';
import { passwordFault } from '../../accounts/password-policy.js';
import { emailAddress } from '../../http/email-address.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import { text } from '../../http/validation.js';
import type { PersonalContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import { seeOther } from '../visitor.js';
import type { AccountPageDependencies } from './dependencies.js';
import { EMAIL, NAME, PASSWORD, PROFILE as PAGE } from './paths.js';
import type { ProfileView, Typed } from './profile-view.js';

const NAME_FAULT = 'Enter a name of 1 to 100 characters.';
const NAME_CHANGED =
  'Your name was changed meanwhile, in another window or by the operator. Save again to use this one.';
const personName = text(100);

/** `/settings/profile`: the visitor's name, address and password. */
export function createProfilePages(
  dependencies: AccountPageDependencies,
  view: ProfileView,
): SettingsRoute[] {
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
function createEmailRequest(
  { accounts, mail, confirmationGate }: AccountPageDependencies,
  view: ProfileView,
) {
  return async (ctx: SettingsContext, at: PersonalContext): Promise<void> => {
    const value = ctx.state.form.get('email') ?? '';
    const refuse = (status: number, error: string) =>
      view.show(ctx, at, { status, email: { value: value.slice(0, 300), error } });
    const email = emailAddress.safeParse(value).data;
    if (email === undefined) return refuse(422, 'Enter an email address.');
    if (!mail.isSent) return refuse(409, 'This server sends no mail.');
    const account = { id: at.accountId, email: ctx.state.visitor.email };
    // A reader of the account's mail can set its password.
    if (email !== account.email && !(await confirmationGate.pass(ctx))) return undefined;
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
