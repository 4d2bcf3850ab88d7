import {
  type Annotated,
  type Principal,
  principalMembers,
  timeText,
  UNANNOTATED,
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
 * perf: written as text, like `principalMembers`. Parts that most verdicts share are one text (decision 23).
 */
export function verdictText(
  principal: Principal,
  { account, limits, hasAddress, dpopNonce }: Circumstances,
): string {
  const { allowedIps, origin, token } = principal;
  const speaker =
    token === undefined
      ? ''
      : `,"principal":{"kind":"${principal.principalKind}","id":"${principal.principalId}"}`;
  const allowed = hasAddress ? '' : allowedText(allowedIps);
  const nonce = dpopNonce === undefined ? '' : `,"dpopNonce":${JSON.stringify(dpopNonce)}`;
  return (
    `{"active":true,${principalMembers(principal)}${speaker}${boundsText(principal)}` +
    `,"subjects":[${subjectsText(principal)}],"position":"${origin.position}` +
    `${annotationsText(principal, account)}${allowed}${limitsText(limits)}${nonce}}`
  );
}

const UNBOUND = ',"expiresAt":null,"spaces":null,"bindings":null';

const allowedText = (allowedIps: Principal['allowedIps']) =>
  allowedIps === null ? ',"allowedIps":null' : `,"allowedIps":${textOf(allowedIps)}`;

/** A member that `principalMembers` has too is written once. */
function boundsText({ spaces, bindings, expiresAt, token, exchanged }: Principal): string {
  const isKey = token === undefined && exchanged === undefined;
  if (isKey && expiresAt === null && spaces === null && bindings === null) return UNBOUND;
  const expiry = isKey ? `,"expiresAt":${expiresAt === null ? 'null' : timeText(expiresAt)}` : '';
  return `${expiry},"spaces":${textOf(spaces)},"bindings":${textOf(bindings)}`;
}

/** Ids of rows need no escapes. Among the subjects of a token is the id of its client, which may be a URL. */
function subjectsText({ origin: { subjects }, token }: Principal): string {
  if (token !== undefined) return JSON.stringify(subjects).replaceAll(' ', '","');
  // perf: a third of the time of `replaceAll`.
  let text = '"';
  let start = 0;
  for (let end; (end = subjects.indexOf(' ', start)) >= 0; start = end + 1) {
    text += `${subjects.slice(start, end)}","`;
  }
  return `${text}${subjects.slice(start)}"`;
}

/** Begins with the end of the position. */
const UNANNOTATED_KEY =
  '","externalIds":{"tenant":null,"account":null,"key":null},' +
  '"metadata":{"tenant":{},"account":null,"key":{}}';

function annotationsText(
  { annotations: { tenant, key: ofKey }, token }: Principal,
  account: Annotated | undefined,
): string {
  const key = token === undefined ? ofKey : undefined;
  if (tenant === UNANNOTATED && key === UNANNOTATED && account === undefined)
    return UNANNOTATED_KEY;
  return (
    `","externalIds":{"tenant":${textOf(tenant.externalId)},` +
    `"account":${textOf(account?.externalId ?? null)},"key":${textOf(key?.externalId ?? null)}},` +
    `"metadata":{"tenant":${metadataText(tenant)},` +
    `"account":${metadataText(account)},"key":${metadataText(key)}}`
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
  const ofKey = apiKey === null ? ',"apiKey":null' : `,"apiKey":{"limit":${usageText(apiKey)}`;
  const ofShare = share === undefined ? '}' : `,"share":{"limit":${usageText(share)}}`;
  return `,"limits":{"tenant":{"limit":${usageText(tenant)}${ofKey}${ofShare}`;
}

/** From the value of `limit` on. */
function usageText({ limit, used, remaining, resetSeconds, windowSeconds }: UsageOrNoLimit) {
  return (
    `${limit},"used":${used},"remaining":${remaining},` +
    `"resetSeconds":${resetSeconds},"windowSeconds":${windowSeconds}}`
  );
}
