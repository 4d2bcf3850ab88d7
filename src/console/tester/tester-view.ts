import type { KnownResult, TestResult } from '../../tester/index.js';
import { minute, type Moment } from '../moments.js';
import { numberText } from '../usage/usage-chart.js';
import { secondsInWords } from '../usage/usage-view.js';

/** A key that can be chosen. */
export interface ChoosableKey {
  readonly id: string;
  readonly text: string;
}

/**
 * `/settings/tester`. Submits `credential` or `keyId`, `address`, and an `observe` for each path. If several keys match
 * `keyId`, also `match`.
 */
export interface TesterPage {
  readonly action: string;
  readonly csrf: string;
  /** Nothing is tested while the organization is suspended. */
  readonly canTest: boolean;
  readonly notice: string | undefined;
  readonly formError: string | undefined;
  /** The newest keys, as suggestions. */
  readonly keys: readonly ChoosableKey[];
  /** A name, an id or the last four characters, as it was typed. */
  readonly keyId: string;
  /** The keys among which the typed text does not decide. */
  readonly matches: readonly ChoosableKey[];
  readonly address: string;
  readonly ownAddress: string;
  readonly paths: readonly { readonly path: string; readonly isTicked: boolean }[];
  readonly result: ShownResult | undefined;
}

/** The result of a test in words. */
export interface ShownResult {
  readonly isAccepted: boolean;
  readonly heading: string;
  readonly explanation: string | undefined;
  readonly facts: readonly { readonly term: string; readonly text: string | Moment }[];
  readonly budgets: readonly { readonly name: string; readonly text: string }[];
  readonly routes: readonly {
    readonly route: string;
    readonly scopes: string;
    readonly verdict: string;
    readonly isAdmitted: boolean;
  }[];
  readonly observed: readonly {
    readonly path: string;
    readonly answer: string;
    readonly isGood: boolean;
    readonly requestId: string;
  }[];
  readonly revoke:
    { readonly action: string; readonly id: string; readonly ticket: string } | undefined;
}

const VERDICTS: Readonly<Record<string, string>> = {
  admitted: 'Admitted',
  principal_not_admitted: 'Not for this kind of credential',
  scope_insufficient: 'Lacks a scope',
  not_bound: 'Bound to other resources',
};

/** Kinds of principals that the console calls by another word. */
const PRINCIPALS: Readonly<Record<string, string>> = {
  tenant: 'organization',
  user: 'person',
};

/** @param spaceNames the names of the spaces to which the credential is restricted */
export function showResult(
  result: TestResult,
  spaceNames: readonly string[] | null,
  revoke: ShownResult['revoke'],
): ShownResult {
  const isAccepted = result.outcome === 'accepted';
  if (result.facts === undefined) {
    return {
      isAccepted: false,
      heading: 'Refused',
      explanation: result.explanation,
      facts: [],
      budgets: [],
      routes: [],
      observed: [],
      revoke: undefined,
    };
  }
  return {
    isAccepted,
    heading: isAccepted ? 'Accepted' : 'Refused',
    explanation: result.explanation,
    facts: factsOf(result, spaceNames),
    budgets: budgetsOf(result),
    routes: result.routes.map(({ method, path, scopes, verdict }) => ({
      route: `${method} ${path}`,
      scopes: scopes.join(' ') || 'None',
      verdict: VERDICTS[verdict] ?? verdict.replaceAll('_', ' '),
      isAdmitted: verdict.startsWith('admitted'),
    })),
    observed: result.observed.map(({ path, status, code, requestId = '' }) => ({
      path,
      answer: code === undefined ? String(status) : `${status} ${code}`,
      isGood: status < 400,
      requestId,
    })),
    revoke: result.reason === 'revoked' ? undefined : revoke,
  };
}

function factsOf(
  { facts, ...result }: KnownResult,
  spaceNames: readonly string[] | null,
): ShownResult['facts'] {
  const { bindings, principal } = facts;
  const { allowedIps } = result;
  const { expiresAt } = result;
  const rows: (readonly [string, string | Moment | undefined])[] = [
    ['Name', facts.keyName ?? facts.clientName],
    ['Id', facts.keyId ?? facts.tokenId],
    ['Credential', result.maskedKey],
    ['Kind', inWords(facts.kind)],
    ['Speaks for', `${PRINCIPALS[principal.kind] ?? principal.kind} ${principal.id}`],
    ['Environment', inWords(facts.environment)],
    ['Scopes', facts.scopes.join(' ') || 'None'],
    ['Spaces', spaceNames?.join(', ') ?? 'All'],
    ['Bound to', bindings?.map(({ type, id }) => `${type} ${id}`).join(', ')],
    ['Expires', expiresAt === null ? 'Never' : minute(new Date(expiresAt))],
    ['Allowed addresses', allowedIps === null ? 'Any' : allowedIps.join(', ')],
    ['Tested from', result.address],
  ];
  return rows.flatMap(([term, text]) => (text === undefined ? [] : [{ term, text }]));
}

function budgetsOf({ budgets }: KnownResult): ShownResult['budgets'] {
  const { tenant, apiKey, share } = budgets;
  const named = [
    ['Organization, per hour', tenant],
    ['Key, per minute', apiKey],
    ['App or account, per hour', share],
  ] as const;
  return named.flatMap(([name, budget]) => {
    if (!budget) return [];
    if (budget.limit === null) return [{ name, text: 'No limit' }];
    const left = `${numberText(budget.remaining)} of ${numberText(budget.limit)} left`;
    const isFull = budget.used === 0;
    return [
      { name, text: isFull ? left : `${left}, more in ${secondsInWords(budget.resetSeconds)}` },
    ];
  });
}

/** A name of the API in words: `access_token` is "Access token". */
function inWords(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
}
