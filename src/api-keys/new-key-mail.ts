import type { EntityManager } from 'typeorm';

import { factsOf, type KeyKind } from '../credentials/kinds.js';
import type { StoredCredential } from '../credentials/index.js';
import type { Mail } from '../mail/index.js';
import { createAttemptStore } from '../rate-limits/index.js';
import { ROLES } from '../scopes/roles.js';
import { managesKeys, type KeyManager } from './authority.js';

/** Queues the mails about a new key, in the transaction that creates it. */
export type NewKeyMail = (
  manager: EntityManager,
  by: KeyManager,
  key: StoredCredential,
) => Promise<void>;

interface Dependencies {
  readonly mail: Mail;
  readonly issuer: string;
}

const NOTICE_SECONDS = 86_400;
/** Mails to a person. More of them would not be read, and keys can be made by programs. */
const LIMIT = { count: 20, seconds: 3600 };
/** Administrators who get mail about a key that another key has made. */
const MAX_ADMINISTRATORS = 5;

/** Each kind in words, and its page in the console. */
const WORDS: Readonly<Record<KeyKind, { readonly kind: string; readonly page: string }>> = {
  personal: { kind: 'personal access token', page: 'tokens' },
  secret: { kind: 'secret key', page: 'api-keys' },
  publishable: { kind: 'publishable key', page: 'api-keys' },
  organization: { kind: 'organization key', page: 'api-keys' },
  service: { kind: 'service credential', page: 'machine-credentials' },
  agent: { kind: 'agent credential', page: 'machine-credentials' },
};

interface Recipient {
  readonly id: string;
  readonly email: string;
}

/**
 * Queues mail about a new key: to a personal token's owner, to the person who made another key, and to the administrators if a
 * key made it. The operator's keys and readable keys, which are public, cause no mail.
 */
export function createNewKeyMail({ mail, issuer }: Dependencies): NewKeyMail {
  return async (manager, { accountId, credentialId, tenantId }, key) => {
    if (factsOf(key.kind).isReadable) return;
    const isMadeByKey = accountId === undefined && credentialId !== undefined;
    if (!isMadeByKey && accountId === undefined) return;
    const [tenant] = await manager.query<{ name: string; slug: string }[]>(
      'SELECT name, slug FROM tenants WHERE id = $1',
      [tenantId],
    );
    if (tenant === undefined) return;
    const { kind, page } = WORDS[key.kind];
    const query = new URLSearchParams({ tenant: tenant.slug, env: key.environment }).toString();
    const data = {
      link: `${issuer}/settings/${page}/${key.id}?${query}`,
      kind,
      isPersonal: factsOf(key.kind).speaksAs === 'account',
      name: key.name,
      maskedKey: key.maskedKey,
      tenant: tenant.name,
    };
    const recipients =
      accountId === undefined
        ? await findAdministrators(manager, tenantId)
        : await findAccount(manager, accountId);
    for (const { id, email } of recipients) {
      const verdict = await createAttemptStore(manager).take(`key notice to ${id}`, LIMIT);
      if (!verdict.isAllowed) continue;
      await mail.queue(manager, {
        kind: 'key-created',
        to: email,
        data,
        lifetimeSeconds: NOTICE_SECONDS,
      });
    }
  };
}

function findAccount(manager: EntityManager, id: string): Promise<Recipient[]> {
  return manager.query<Recipient[]>('SELECT id, email FROM accounts WHERE id = $1', [id]);
}

/** In a fixed order: their counters are locked one after the other. */
function findAdministrators(manager: EntityManager, tenantId: string): Promise<Recipient[]> {
  return manager.query<Recipient[]>(
    `SELECT a.id, a.email FROM memberships m JOIN accounts a ON a.id = m.account_id
     WHERE m.tenant_id = $1 AND m.role = ANY ($2::text[]) ORDER BY a.id LIMIT $3`,
    [tenantId, ROLES.filter(managesKeys), MAX_ADMINISTRATORS],
  );
}
