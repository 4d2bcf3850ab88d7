import type { RouteDeclaration } from '../http/route-declaration.js';
import { type Access, denialReason } from './route-guard/admission.js';
import type { Principal, TokenFacts } from './principal.js';
import type { Verdict } from './verification/verifier.js';

/** The reasons of refusals, for the person who tests a credential. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  malformed:
    'It is not written like a credential of ours: another brand, a typing error, or cut off.',
  unknown: 'It is well formed, but was never issued here.',
  revoked: 'It was revoked, or what it belongs to was.',
  address_not_allowed: 'It may not be used from this address.',
  expired: 'It has expired.',
  tenant_suspended: 'Its tenant is suspended.',
};

type ApiRoute = Pick<RouteDeclaration<Access>, 'method' | 'path' | 'access'>;

/** The verdict of a declared route on a credential. */
export interface Coverage {
  readonly method: string;
  readonly path: string;
  readonly scopes: readonly string[];
  /** `admitted`, `admitted for <ids>`, or the reason of the refusal. */
  readonly verdict: string;
}

/** The verdict of each declared route, by the guard's own decision. */
export function coverageOf(verdict: Verdict, routes: readonly ApiRoute[]): readonly Coverage[] {
  return routes.flatMap(({ method, path, access }) =>
    access === undefined || access === 'public'
      ? []
      : [{ method, path, scopes: access.scopes, verdict: verdictOf(verdict, path, access) }],
  );
}

/** The paths that can be read: those without an id, and the single resources that a credential is bound to. */
export function readablePaths(
  { principal }: Verdict,
  routes: readonly ApiRoute[],
): readonly string[] {
  return routes.flatMap(({ method, path, access }) => {
    if (method !== 'GET' || access === undefined || access === 'public') return [];
    if (!path.includes(':')) return [path];
    return idsBoundTo(principal, access.resource).map((id) => path.replace(':id', id));
  });
}

function verdictOf(verdict: Verdict, path: string, access: Exclude<Access, 'public'>): string {
  if (verdict.outcome === 'refused') return verdict.reason;
  const reason = denialReason(verdict.principal, access, undefined);
  return reason === 'not_bound' && path.includes(':id')
    ? boundTo(verdict.principal, access.resource)
    : (reason ?? 'admitted');
}

function boundTo(principal: Principal, type: string | undefined): string {
  const ids = idsBoundTo(principal, type);
  return ids.length === 0 ? 'not_bound' : `admitted for ${ids.join(', ')}`;
}

function idsBoundTo(principal: Principal | undefined, type: string | undefined): readonly string[] {
  const bindings = principal?.bindings ?? [];
  return bindings.filter((binding) => binding.type === type).map(({ id }) => id);
}

/** The facts of a principal: of a key, or of an access token with its client. */
export interface DescribedPrincipal
  extends
    Partial<TokenFacts>,
    Pick<Principal, 'kind' | 'tenantId' | 'environment' | 'scopes' | 'spaces' | 'bindings'> {
  readonly keyId?: string;
  readonly keyName?: string;
  readonly tokenId?: string;
  readonly principal: { readonly kind: string; readonly id: string };
}

/** Describes a principal for people and programs. */
export function describePrincipal(principal: Principal): DescribedPrincipal {
  const { credentialId: id, credentialName, token } = principal;
  return {
    ...(token === undefined ? { keyId: id, keyName: credentialName } : { tokenId: id, ...token }),
    kind: principal.kind,
    tenantId: principal.tenantId,
    environment: principal.environment,
    scopes: principal.scopes,
    spaces: principal.spaces,
    bindings: principal.bindings,
    principal: { kind: principal.principalKind, id: principal.principalId },
  };
}

/** A verdict, and the facts of its principal if it is known. */
export interface DescribedVerdict {
  readonly outcome: Verdict['outcome'];
  /** Present if it is refused. */
  readonly reason?: string;
  readonly explanation?: string | undefined;
}

/** Describes a verdict for people and programs. */
export function describeVerdict(verdict: Verdict): DescribedVerdict & Partial<DescribedPrincipal> {
  const { outcome, principal } = verdict;
  return {
    outcome,
    ...(verdict.outcome === 'refused' && {
      reason: verdict.reason,
      explanation: EXPLANATIONS[verdict.reason],
    }),
    ...(principal && describePrincipal(principal)),
  };
}
