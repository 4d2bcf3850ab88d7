import type { DataSource } from 'typeorm';

import { createAuditLog } from '../../audit/index.js';
import { createRevocationStore } from '../../credentials/index.js';
import { singleValue } from '../../http/body/form.js';
import { Problem } from '../../http/errors/problem.js';
import type { Csrf } from '../../http/pages/csrf.js';
import type { Signer } from '../../http/pagination.js';
import { parseWith } from '../../http/validation.js';
import { credentialTest, type CredentialTester, type TestResult } from '../../tester/index.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsContext, SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { spaceNames } from '../space-names.js';
import { seeOther } from '../visitor.js';
import { findNamedKeys, suggestKeys } from './key-choice.js';
import { showResult, type TesterPage } from './tester-view.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly showPage: ShowPage;
  readonly csrf: Csrf;
  readonly keyring: Signer;
  readonly tester: CredentialTester;
  readonly clientAddress: (request: SettingsContext['req']) => string;
}

const PAGE = '/settings/tester';
const REVOKE = `${PAGE}/revoke`;
/** The span in which a tested credential can be revoked from the result: up to two of them. */
const TICKET_MS = 15 * 60_000;

/** `/settings/tester`: what a credential is, and what each route says to it. */
export function createTesterPages(dependencies: Dependencies): SettingsRoute[] {
  const { dataSource, tester, clientAddress } = dependencies;
  const tickets = createTickets(dependencies.keyring);
  const show = (ctx: SettingsContext, at: OrganizationContext, given: Given) =>
    showTester(dependencies, ctx, at, given);

  async function test(ctx: SettingsContext, at: OrganizationContext): Promise<void> {
    const { form } = ctx.state;
    const named = (singleValue(form, 'keyId') ?? '').trim();
    const address = (singleValue(form, 'address') ?? '').trim();
    const credential = (singleValue(form, 'credential') ?? '').trim();
    const observe = form.getAll('observe');
    const shown = { keyId: named, address, observe };
    // A choice counts for the text that it was offered for.
    const chosen = singleValue(form, 'matched') === named ? singleValue(form, 'match') : undefined;
    try {
      const keyId = credential === '' ? await choose(dataSource, at, named, chosen) : '';
      if (typeof keyId === 'object') return await show(ctx, at, { ...shown, ...keyId });
      const by = { tenantId: at.tenantId, environment: 'live', spaces: null } as const;
      const input = parseWith(credentialTest, {
        // A pasted credential goes before a chosen key, which stays chosen in the form.
        ...(credential === '' ? { ...(keyId !== '' && { keyId }) } : { credential, observe }),
        ...(address !== '' && { address }),
      });
      const result = await tester.test(by, input, clientAddress(ctx.req));
      const id = idOf(result);
      const revoke =
        id === undefined
          ? undefined
          : { action: at.href(REVOKE), id, ticket: tickets.sign(at, id) };
      const { manager } = dataSource;
      const spaces = await spaceNames(manager, at.tenantId, result.facts?.spaces ?? null);
      await show(ctx, at, { ...shown, result: showResult(result, spaces, revoke) });
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error;
      await show(ctx, at, { ...shown, formError: wordsFor(error) });
    }
  }

  async function revoke(ctx: SettingsContext, at: OrganizationContext): Promise<void> {
    const id = singleValue(ctx.state.form, 'id') ?? '';
    if (!tickets.isSigned(at, id, singleValue(ctx.state.form, 'ticket') ?? '')) {
      throw new Problem('forbidden', 'The test was too long ago. Test the credential again.');
    }
    await dataSource.transaction(async (manager) => {
      await createRevocationStore(manager).revoke(id, at.actor.id, 'revoked after a test');
      await createAuditLog(manager).record(at.actor, {
        tenantId: at.tenantId,
        action: 'credential.revoke',
        subject: id,
        details: { reason: 'revoked after a test' },
      });
    });
    seeOther(ctx, at.href(PAGE, { done: 'revoked' }));
  }

  return [
    route('GET', PAGE, (ctx, at) => show(ctx, at, {})),
    route('POST', PAGE, test),
    route('POST', REVOKE, revoke),
  ];
}

interface Given extends Partial<
  Pick<TesterPage, 'keyId' | 'matches' | 'address' | 'formError' | 'result'>
> {
  readonly observe?: readonly string[];
}

async function showTester(
  { dataSource, showPage, csrf, tester, clientAddress }: Dependencies,
  ctx: SettingsContext,
  at: OrganizationContext,
  given: Given,
): Promise<void> {
  const isDone = singleValue(new URLSearchParams(ctx.querystring), 'done') === 'revoked';
  const page = {
    title: 'Tester',
    action: at.href(PAGE),
    csrf: csrf.token(ctx),
    canTest: !at.isSuspended,
    notice: isDone ? 'The credential is revoked. It is refused from now on.' : undefined,
    formError: given.formError,
    keys: await suggestKeys(dataSource, at.tenantId),
    keyId: given.keyId ?? '',
    matches: given.matches ?? [],
    address: given.address ?? '',
    ownAddress: clientAddress(ctx.req),
    paths: tester.paths.map((path) => ({
      path,
      isTicked: given.observe?.includes(path) ?? path === '/me',
    })),
    result: given.result,
  };
  showPage(ctx, 'tester', page, { status: given.formError === undefined ? 200 : 422 });
}

function route(
  method: 'GET' | 'POST',
  path: string,
  handle: (ctx: SettingsContext, at: OrganizationContext) => Promise<void>,
): SettingsRoute {
  return {
    method,
    path,
    access: { page: PAGE },
    handle: (ctx) => handle(ctx, ctx.state.organization),
  };
}

function idOf({ facts }: TestResult): string | undefined {
  return facts?.keyId ?? facts?.tokenId;
}

function wordsFor({ errors, message }: Problem): string {
  const [fault] = errors ?? [];
  if (fault === undefined) return message;
  if (fault.field === 'credential') return 'Paste a credential, or choose a key.';
  return `${fault.field === 'address' ? 'The address' : fault.field} ${fault.message}.`;
}

/**
 * The id of the key that was named, `''` for an empty field.
 * @param chosen one of the matches that an earlier answer showed
 * @returns words and matches if the text names no key, or several
 */
async function choose(
  dataSource: DataSource,
  { tenantId }: OrganizationContext,
  named: string,
  chosen: string | undefined,
): Promise<string | Pick<Given, 'formError' | 'matches'>> {
  if (chosen !== undefined && chosen !== '') return chosen;
  if (named === '') return '';
  const found = await findNamedKeys(dataSource, tenantId, named);
  if ('keyId' in found) return found.keyId;
  return { matches: found.matches, formError: wordsForMatches(found) };
}

function wordsForMatches({
  matches,
  isAll,
}: {
  readonly matches: readonly unknown[];
  readonly isAll: boolean;
}): string {
  if (matches.length > 0) {
    return isAll
      ? 'Several keys match. Choose one of them.'
      : 'Many keys match. Choose one of the newest, or give the id.';
  }
  return isAll
    ? 'No active key matches. Give its name, its last four characters or its id.'
    : 'None of the newest keys matches. Give the id.';
}

/** Proof that an administrator has tested a credential a short time ago. */
function createTickets(signer: Signer) {
  const textOf = ({ tenantId, accountId }: OrganizationContext, id: string, span: number) =>
    JSON.stringify(['tested', tenantId, accountId, id, span]);
  const now = () => Math.floor(Date.now() / TICKET_MS);
  return {
    sign: (at: OrganizationContext, id: string) => signer.sign(textOf(at, id, now())),
    isSigned: (at: OrganizationContext, id: string, ticket: string) =>
      [now(), now() - 1].some((span) => signer.isSigned(textOf(at, id, span), ticket)),
  };
}
