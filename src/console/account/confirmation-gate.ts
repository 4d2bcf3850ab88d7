import type { ConsoleSessions, SignInPage } from '../../oauth/index.js';
import { singleValue, type Form } from '../../http/body/form.js';
import type { SignInProviders } from '../../sign-in-providers/index.js';
import type { KeptForms } from '../kept-form.js';
import { createLeaveForProvider } from '../providers/leaving.js';
import type { SettingsContext } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { seeOther } from '../visitor.js';
import { CONFIRM } from './paths.js';

/**
 * Asks the user to confirm their presence before a secret is made or a way to sign in changes, if the sign-in is older than
 * 15 minutes: a browser that was left alone must not give away credentials that outlive the session. The user confirms with
 * the password, or at a provider that the account signs in with.
 */
export interface ConfirmationGate {
  /**
   * Checks a submitted form. If the user has to confirm, a page asks for it. It holds all fields of the form, and submits
   * them again to the same address.
   *
   * @returns whether the caller may do its work; otherwise the request has been answered
   */
  pass(ctx: SettingsContext): Promise<boolean>;
  /** Shows the page that a provider leads back to: it submits the form, or asks again if the user did not confirm. */
  resume(ctx: SettingsContext): Promise<void>;
}

const RECENT_SECONDS = 15 * 60;

/** The fields of the page's form. No other form has one with such a name. */
const PASSWORD_FIELD = 'confirm_password';
const PROVIDER_FIELD = 'confirm_provider';

const NOT_LINKED = 'Your account does not sign in there. Choose another way.';

interface Dependencies {
  readonly showPage: ShowPage;
  readonly signInPage: SignInPage;
  readonly sessions: Pick<ConsoleSessions, 'begin'>;
  readonly providers: SignInProviders;
  readonly keptForms: KeptForms;
  readonly signedInWithin: (sessionId: string, seconds: number) => Promise<boolean | undefined>;
}

export function createConfirmationGate(dependencies: Dependencies): ConfirmationGate {
  const { signInPage, sessions, signedInWithin } = dependencies;
  const ask = createAsk(dependencies);
  const leave = createLeave(dependencies, ask);
  return {
    async pass(ctx) {
      const { form, visitor } = ctx.state;
      // A session that has ended meanwhile is refused by the work itself.
      if ((await signedInWithin(visitor.sessionId, RECENT_SECONDS)) !== false) return true;
      const pending = { form, address: ctx.path + ctx.search };
      const provider = singleValue(form, PROVIDER_FIELD);
      const password = form.get(PASSWORD_FIELD) ?? '';
      if (provider !== undefined) await leave(ctx, pending, provider);
      else if (password === '') await ask(ctx, pending);
      else {
        const checked = await signInPage.check(ctx, visitor.email, password);
        if (checked.account !== undefined) {
          // The session continues under a new secret, and counts as signed in now.
          await sessions.begin(ctx, checked.account);
          return true;
        }
        const { status, reason } = checked;
        await ask(ctx, pending, { status, text: reason, isAboutPassword: status === 422 });
      }
      return false;
    },
    resume: createResume(dependencies, ask),
  };
}

/** A form that waits for the confirmation, and the address to which it is submitted. */
type Pending = NonNullable<ReturnType<KeptForms['take']>>;

type Ask = (
  ctx: SettingsContext,
  pending: Pending,
  problem?: {
    readonly status: number;
    readonly text: string;
    /** Whether it is shown beside the field of the password. */
    readonly isAboutPassword?: boolean;
  },
) => Promise<void>;

/** Shows the page with the ways to confirm that the account has. */
function createAsk({ providers, showPage }: Dependencies): Ask {
  return async (ctx, { form, address }, problem) => {
    const { visitor } = ctx.state;
    const isAboutPassword = problem?.isAboutPassword === true;
    const ways = await providers.waysOf(visitor.accountId);
    showPage(
      ctx,
      'confirm-presence',
      {
        title: 'Confirm that it is you',
        action: address,
        email: visitor.email,
        fields: fieldsOf(form),
        hasPassword: ways.hasPassword,
        providers: ways.links.flatMap(({ id, name }) => (id === undefined ? [] : [{ id, name }])),
        error: isAboutPassword ? undefined : problem?.text,
        passwordError: isAboutPassword ? problem.text : undefined,
      },
      { status: problem?.status ?? 200 },
    );
  };
}

/** Keeps the form, and sends the browser to a provider that the account is linked to. */
function createLeave(dependencies: Dependencies, ask: Ask) {
  const { providers, keptForms } = dependencies;
  const leaveForProvider = createLeaveForProvider(dependencies);
  return async (ctx: SettingsContext, pending: Pending, provider: string): Promise<void> => {
    const { personal, visitor } = ctx.state;
    const { accountId, sessionId } = visitor;
    const { links } = await providers.waysOf(accountId);
    const linked = links.find(({ id }) => id === provider);
    if (linked === undefined) return ask(ctx, pending, { status: 422, text: NOT_LINKED });
    if (!keptForms.keep(ctx, accountId, pending.address, pending.form)) {
      return ask(ctx, pending, { status: 413, text: cannotKeep(linked.name) });
    }
    const problem = await leaveForProvider(ctx, provider, {
      target: { kind: 'confirm', accountId, sessionId, path: personal.href(CONFIRM) },
      hint: linked.email ?? visitor.email,
      isFresh: true,
    });
    if (problem !== undefined) await ask(ctx, pending, problem);
  };
}

function createResume(
  { keptForms, providers, showPage, signedInWithin }: Dependencies,
  ask: Ask,
): ConfirmationGate['resume'] {
  return async (ctx) => {
    const { visitor, personal } = ctx.state;
    const pending = keptForms.take(ctx, visitor.accountId);
    const isConfirmed = (await signedInWithin(visitor.sessionId, RECENT_SECONDS)) === true;
    const query = new URLSearchParams(ctx.querystring);
    if (pending === undefined) {
      const said = isConfirmed ? { done: 'confirmed' } : problemOf(query);
      return seeOther(ctx, personal.href('/settings/profile', said));
    }
    if (!isConfirmed) return ask(ctx, pending, providers.problemIn(query));
    const page = { action: pending.address, fields: fieldsOf(pending.form) };
    return showPage(ctx, 'confirmed', { title: 'You have confirmed that it is you', ...page });
  };
}

/** The members of an address that name the problem of a provider. */
function problemOf(query: URLSearchParams): Readonly<Record<string, string>> {
  return Object.fromEntries([...query].filter(([name]) => ['provider', 'problem'].includes(name)));
}

/** All fields in their order, without the token and those of the page itself. */
function fieldsOf(form: Form): readonly { readonly name: string; readonly value: string }[] {
  return [...form]
    .filter(([name]) => !['csrf', PASSWORD_FIELD, PROVIDER_FIELD].includes(name))
    .map(([name, value]) => ({ name, value }));
}

function cannotKeep(provider: string): string {
  return `Your form cannot be kept while you are at ${provider}. Sign out and in again, then fill it in again: for 15 minutes you are not asked to confirm.`;
}
