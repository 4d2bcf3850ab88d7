import { factsOf, type KeyKind } from '../../credentials/kinds.js';
import type { CredentialStatus } from '../../credentials/kinds.js';
import { sealingContextOf } from '../../credentials/index.js';
import type { Keyring } from '../../credentials/index.js';
import { compareNames } from '../../http/pages/natural-order.js';
import { ago, day } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import type { Board, BoardKey } from './key-board.js';
import { mayManage, type KeySection } from './key-section.js';
import type { Badge, KeyRow } from './key-views.js';
import { summarizeInRow } from './scope-words.js';

const DAY_MS = 86_400_000;
/** Days before its expiry in which a key is shown in amber, and days after its creation without any use. */
const SOON_DAYS = 14;
const IDLE_DAYS = 30;

/** The state of a key as a badge. */
export function badgeOf({
  status,
  isReplaced,
}: {
  readonly status: CredentialStatus;
  readonly isReplaced: boolean;
}): Badge {
  if (status === 'revoked') return { text: 'Revoked', tone: 'bad' };
  if (status === 'expired') return { text: 'Expired', tone: 'plain' };
  return isReplaced ? { text: 'Rotated', tone: 'warn' } : { text: 'Active', tone: 'good' };
}

/** A readable key in full. @returns `undefined` for other kinds */
export function revealed(
  keyring: Pick<Keyring, 'open'>,
  kind: KeyKind,
  key: Pick<BoardKey, 'id' | 'ciphertext' | 'ciphertextKeyId'>,
): string | undefined {
  const { id, ciphertext, ciphertextKeyId: keyId } = key;
  if (!factsOf(kind).isReadable || ciphertext === null || keyId === null) return undefined;
  const sealed = { ciphertext: Buffer.from(ciphertext, 'hex'), keyId };
  return keyring.open(sealed, sealingContextOf(id)).toString();
}

/** Makes the row of a key. */
export function rowOf(
  keyring: Pick<Keyring, 'open'>,
  at: OrganizationContext,
  section: KeySection,
  { spaces }: Pick<Board, 'spaces'>,
  kind: KeyKind,
  key: BoardKey,
  context: { readonly now: number; readonly fresh: string | undefined },
): KeyRow {
  const isManager = mayManage(section, at.role);
  const page = at.href(`${section.path}/${key.id}`);
  const isActive = key.status === 'active';
  const nameOf = (id: string) => spaces.find((space) => space.id === id)?.name ?? id;
  return {
    id: key.id,
    name: key.name,
    href: isManager ? page : undefined,
    isFresh: context.fresh === key.id,
    isOver: !isActive,
    maskedKey: key.maskedKey,
    key: revealed(keyring, kind, key),
    scopes: summarizeInRow(key.scopes),
    spaces: key.spaces?.map(nameOf).sort(compareNames),
    created: day(new Date(key.createdAt)),
    environment: section.isOwn && key.environment === 'test' ? 'test' : undefined,
    creator: key.creator ?? (key.createdBy === 'operator' ? 'the operator' : key.createdBy),
    used: key.usedAt === null ? undefined : ago(new Date(key.usedAt)),
    usedFrom: key.usedFrom ?? undefined,
    isIdle: key.usedAt === null && context.now - key.createdAt > IDLE_DAYS * DAY_MS,
    expires: key.expiresAt === null ? undefined : day(new Date(key.expiresAt)),
    isExpiring:
      isActive && key.expiresAt !== null && key.expiresAt - context.now < SOON_DAYS * DAY_MS,
    badge: badgeOf(key),
    menu: isManager && isActive && !at.isSuspended ? menuOf(page, key.isReplaced) : [],
  };
}

function menuOf(page: string, isReplaced: boolean): KeyRow['menu'] {
  return [
    { text: 'Edit', href: `${page}#edit` },
    ...(isReplaced ? [] : [{ text: 'Rotate', href: `${page}#rotate` }]),
    { text: 'Revoke', href: `${page}#revoke` },
  ];
}
