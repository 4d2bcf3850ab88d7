import {
  type Annotated,
  type Principal,
  principalMembers,
  timeText,
} from '../credentials/index.js';
import type { UsageOfBudgets, UsageOrNoLimit } from '../rate-limits/index.js';

/** Facts of a verdict that are not the principal's. */
interface Circumstances {
  /** The account of a user; `undefined` for other principals. */
  readonly account: Annotated | undefined;
  readonly limits: UsageOfBudgets;
  /** Whether the question named an address, so that the allow-list was judged. */
  readonly hasAddress: boolean;
  readonly dpopNonce: string | undefined;
}

/**
 * Writes the verdict on an accepted credential as JSON. `verify-schema.ts` declares its members.
 * perf: written as text, like `principalMembers` (decision 23).
 */
export function verdictText(
  principal: Principal,
  { account, limits, hasAddress, dpopNonce }: Circumstances,
): string {
  const { spaces, bindings, expiresAt, allowedIps, origin, token } = principal;
  const { tenant } = principal.annotations;
  const key = token === undefined ? principal.annotations.key : undefined;
  const isToken = token !== undefined;
  // A member that `principalMembers` has too is written once.
  const speaker = isToken
    ? `,"principal":{"kind":"${principal.principalKind}","id":"${principal.principalId}"}`
    : '';
  const expiry =
    isToken || principal.exchanged !== undefined
      ? ''
      : `,"expiresAt":${expiresAt === null ? 'null' : timeText(expiresAt)}`;
  return (
    `{"active":true,${principalMembers(principal)}${speaker}${expiry},` +
    `"spaces":${textOf(spaces)},"bindings":${textOf(bindings)},` +
    `"subjects":[${JSON.stringify(origin.subjects).replaceAll(' ', '","')}],` +
    `"position":"${origin.position}",` +
    `"externalIds":{"tenant":${textOf(tenant.externalId)},` +
    `"account":${textOf(account?.externalId ?? null)},"key":${textOf(key?.externalId ?? null)}},` +
    `"metadata":{"tenant":${metadataText(tenant)},` +
    `"account":${metadataText(account)},"key":${metadataText(key)}},` +
    `${hasAddress ? '' : `"allowedIps":${textOf(allowedIps)},`}` +
    `"limits":${limitsText(limits)}` +
    `${dpopNonce === undefined ? '' : `,"dpopNonce":${JSON.stringify(dpopNonce)}`}}`
  );
}

/** perf: most are `null`. */
const textOf = (value: string | readonly unknown[] | null) =>
  value === null ? 'null' : JSON.stringify(value);

/** Metadata as the database wrote it: JSON, empty for none. `null` where the credential has no such thing. */
function metadataText(annotated: Annotated | undefined): string {
  if (annotated === undefined) return 'null';
  return annotated.metadata === '' ? '{}' : annotated.metadata;
}

function limitsText({ tenant, apiKey, share }: UsageOfBudgets): string {
  const ofKey = apiKey === null ? 'null' : usageText(apiKey);
  const ofShare = share === undefined ? '' : `,"share":${usageText(share)}`;
  return `{"tenant":${usageText(tenant)},"apiKey":${ofKey}${ofShare}}`;
}

function usageText({ limit, used, remaining, resetSeconds, windowSeconds }: UsageOrNoLimit) {
  return (
    `{"limit":${limit},"used":${used},"remaining":${remaining},` +
    `"resetSeconds":${resetSeconds},"windowSeconds":${windowSeconds}}`
  );
}
