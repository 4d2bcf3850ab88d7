import { createHash, randomBytes } from 'node:crypto';

import type { DataSource } from 'typeorm';

import type { StoredCredential } from '../../credentials/index.js';
import { factsOf } from '../../credentials/kinds.js';
import type { Keyring } from '../../credentials/index.js';
import { createUsageHistory } from '../../usage/index.js';
import { usageRangeOf } from '../../usage/index.js';
import { ago, minute } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import { spaceNames } from '../space-names.js';
import { nameRecords } from './bound-records.js';
import { LIFETIMES, type KeyFormErrors } from './key-form.js';
import { badgeOf, revealed } from './key-rows.js';
import { KIND_WORDS, type KeySection } from './key-section.js';
import { eventsInWords, readStory, type KeyStory } from './key-story.js';
import type { KeyPage } from './key-views.js';
import { drawUsage } from '../usage/usage-chart.js';

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Pick<Keyring, 'open'>;
  /** `RATE_LIMIT_KEY_PER_MINUTE` */
  readonly defaultRateLimit: number;
  /** Seconds since a use that is not stored yet. */
  readonly secondsSinceUse: (id: string) => number | undefined;
}

/** The state of a page after a form on it was refused. */
export interface KeyPageFaults {
  readonly notice?: KeyPage['notice'];
  readonly edit?: NonNullable<KeyPage['edit']>['values'];
  readonly editErrors?: KeyFormErrors;
  readonly revokeError?: string;
}

const OVERLAPS = [
  { value: '0', text: 'Now: the old one ends at once' },
  { value: '3600', text: 'In 1 hour' },
  { value: '86400', text: 'In 24 hours' },
  { value: '604800', text: 'In 7 days' },
];

const RECENT_MS = 7 * 86_400_000;

/** The number of seconds for which a rotated key remains valid, if it is one of the choices. */
export function overlapOf(text: string | null): number | undefined {
  const choice = OVERLAPS.find(({ value }) => value === text);
  return choice && Number(choice.value);
}

/** A digest of the changeable members of a key, by which a form knows whether somebody else has changed them. */
export function versionOf(key: StoredCredential): string {
  const { name, allowedIps, expiresAt, rateLimitPerMinute } = key;
  const text = JSON.stringify([name, allowedIps, expiresAt, rateLimitPerMinute]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** Makes the page of a key. */
export async function showKey(
  dependencies: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  key: StoredCredential,
  faults: KeyPageFaults = {},
): Promise<KeyPage & { readonly title: string }> {
  const { dataSource, keyring } = dependencies;
  const story = await readStory(dataSource.manager, at.tenantId, key.id);
  const isReplaced = story.replacedBy !== undefined;
  const ciphertext = key.ciphertext?.toString('hex') ?? null;
  const link = ({ id, name }: { id: string; name: string }) => ({
    text: name,
    href: at.href(`${section.path}/${id}`),
  });
  return {
    title: key.name,
    header: {
      title: key.name,
      crumbs: [{ text: section.title, href: at.href(section.path) }],
      badge: badgeOf({ status: key.status, isReplaced }),
    },
    notice: faults.notice,
    noun: section.noun,
    id: key.id,
    name: key.name,
    status: key.status,
    kind: KIND_WORDS[key.kind].title,
    isReadable: factsOf(key.kind).isReadable,
    environment: key.environment === 'live' ? 'Live' : 'Test',
    maskedKey: key.maskedKey,
    key: revealed(keyring, key.kind, { ...key, ciphertext }),
    scopes: key.scopes,
    spaces:
      (await spaceNames(dataSource.manager, at.tenantId, key.spaces))?.join(', ') ?? 'All spaces',
    allowedIps: key.allowedIps ?? [],
    bindings: await nameRecords(
      dataSource.manager,
      at.tenantId,
      key.environment,
      key.bindings ?? [],
    ),
    limit: section.isOwn
      ? SHARED_LIMIT
      : limitInWords(key.rateLimitPerMinute, dependencies.defaultRateLimit),
    created: minute(key.createdAt),
    creator: story.creator ?? (key.createdBy === 'operator' ? 'the operator' : key.createdBy),
    used: key.lastUsedAt === null ? undefined : ago(key.lastUsedAt),
    usedFrom: key.lastUsedAddress ?? undefined,
    expires: key.expiresAt === null ? undefined : minute(key.expiresAt),
    replaces: story.replaces && link(story.replaces),
    replacedBy: story.replacedBy && link(story.replacedBy),
    charts: await chartsOf(dependencies, section, at, key),
    refusals: eventsInWords(story.refusals),
    events: eventsInWords(story.events),
    ...actionsOf(dependencies, section, at, key, story, faults),
  };
}

/** The forms of a page. A key that has ended, and one of a suspended organization, has none. */
function actionsOf(
  { secondsSinceUse }: Dependencies,
  section: KeySection,
  at: OrganizationContext,
  key: StoredCredential,
  { replacedBy }: KeyStory,
  faults: KeyPageFaults,
): Pick<KeyPage, 'edit' | 'rotate' | 'end' | 'revoke'> {
  if (key.status !== 'active' || at.isSuspended) {
    return { edit: undefined, rotate: undefined, end: undefined, revoke: undefined };
  }
  const page = `${section.path}/${key.id}`;
  const values = faults.edit ?? {
    name: key.name,
    allowedIps: (key.allowedIps ?? []).join('\n'),
    expires: key.expiresAt === null ? 'never' : 'date',
    expiresOn: key.expiresAt?.toISOString().slice(0, 10) ?? '',
    rateLimit: key.rateLimitPerMinute === null ? '' : String(key.rateLimitPerMinute),
  };
  const isUsedLately =
    secondsSinceUse(key.id) !== undefined ||
    (key.lastUsedAt !== null && Date.now() - key.lastUsedAt.getTime() < RECENT_MS);
  return {
    edit: {
      action: at.href(page),
      seen: versionOf(key),
      values,
      errors: faults.editErrors ?? {},
      hasLimit: !section.isOwn,
      lifetimes: LIFETIMES.map((option) => ({
        ...option,
        isSelected: option.value === values.expires,
      })),
    },
    rotate:
      replacedBy === undefined
        ? {
            action: at.href(`${page}/rotate`),
            handle: randomBytes(16).toString('base64url'),
            overlaps: OVERLAPS.map((option) => ({
              ...option,
              isSelected: option.value === '86400',
            })),
          }
        : undefined,
    end:
      replacedBy !== undefined && key.expiresAt !== null
        ? { action: at.href(`${page}/end`), at: ago(key.expiresAt) }
        : undefined,
    revoke: {
      action: at.href(`${page}/revoke`),
      needsName: isUsedLately,
      error: faults.revokeError,
      text: isUsedLately
        ? 'It was used in the last 7 days. Programs that use it are refused from the next request on.'
        : 'It was not used in the last 7 days.',
    },
  };
}

/** Personal tokens have no limit of their own. */
const SHARED_LIMIT = 'All tokens of a person share a part of the budget of the organization.';

function limitInWords(own: number | null, usual: number): string {
  const limit = own ?? usual;
  const words = limit === 0 ? 'No limit' : `${limit.toLocaleString('en')} requests a minute`;
  return own === null ? `${words} (the default)` : words;
}

/** The last 24 hours and the last 30 days. */
async function chartsOf(
  { dataSource, defaultRateLimit }: Dependencies,
  { isOwn }: KeySection,
  { tenantId }: OrganizationContext,
  { id, environment, rateLimitPerMinute }: StoredCredential,
): Promise<KeyPage['charts']> {
  const history = createUsageHistory(dataSource.manager);
  const perMinute = rateLimitPerMinute ?? defaultRateLimit;
  const charts = [];
  for (const [per, minutes] of [
    ['hour', 60],
    ['day', 1440],
  ] as const) {
    const range = usageRangeOf({ per });
    const points = await history.read({ tenantId, environment }, id, range);
    const limit = perMinute === 0 || isOwn ? undefined : perMinute * minutes;
    const title = per === 'hour' ? 'Last 24 hours' : 'Last 30 days';
    charts.push({ title, chart: drawUsage(points, per, limit) });
  }
  return charts;
}
