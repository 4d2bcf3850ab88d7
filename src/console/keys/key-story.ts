import type { EntityManager } from 'typeorm';

import { minute, type Moment } from '../moments.js';

/** A key that another one replaces, or is replaced by. */
interface Relative {
  readonly id: string;
  readonly name: string;
}

interface StoredEvent {
  readonly at: Date;
  readonly action: string;
  readonly actor: string;
  readonly actorName: string | null;
  readonly address: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  readonly occurrences: number;
}

/** The relatives of a key, and its entries in the audit log. */
export interface KeyStory {
  readonly replaces: Relative | undefined;
  readonly replacedBy: Relative | undefined;
  readonly creator: string | undefined;
  readonly refusals: readonly StoredEvent[];
  readonly events: readonly StoredEvent[];
}

const SHOWN = 20;

const eventsOf = (condition: string) => `
  (SELECT coalesce(json_agg(json_build_object('at', e.at, 'action', e.action, 'actor', e.actor,
      'actorName', coalesce((SELECT coalesce(a.name, a.email) FROM accounts a WHERE a.id = e.actor),
        (SELECT k.name FROM credentials k WHERE k.id = e.actor AND k.tenant_id = $1)),
      'address', e.address, 'details', e.details, 'occurrences', e.occurrences)
    ORDER BY e.at DESC, e.id DESC), '[]')
   FROM (SELECT * FROM audit_log e WHERE e.tenant_id = $1 AND e.subject = $2 AND ${condition}
     ORDER BY e.at DESC, e.id DESC LIMIT ${SHOWN}) AS e)`;

const STORY = `
  SELECT
    (SELECT json_build_object('id', old.id, 'name', old.name) FROM credentials old
      WHERE old.id = c.replaces AND old.tenant_id = $1) AS replaces,
    (SELECT json_build_object('id', next.id, 'name', next.name) FROM credentials next
      WHERE next.replaces = c.id AND next.tenant_id = $1 LIMIT 1) AS "replacedBy",
    coalesce((SELECT coalesce(a.name, a.email) FROM accounts a WHERE a.id = c.created_by),
      (SELECT k.name FROM credentials k WHERE k.id = c.created_by AND k.tenant_id = $1)) AS creator,
    ${eventsOf(`e.action = 'credential.refused'`)} AS refusals,
    ${eventsOf(`e.action <> 'credential.refused'`)} AS events
  FROM credentials c WHERE c.id = $2 AND c.tenant_id = $1`;

/** Reads what the page of a key shows beside the key itself, by one statement. */
export async function readStory(
  manager: EntityManager,
  tenantId: string,
  id: string,
): Promise<KeyStory> {
  type Read = Omit<StoredEvent, 'at'> & { readonly at: string };
  const [row] = await manager.query<
    {
      replaces: Relative | null;
      replacedBy: Relative | null;
      creator: string | null;
      refusals: Read[];
      events: Read[];
    }[]
  >(STORY, [tenantId, id]);
  const dated = (event: Read): StoredEvent => ({ ...event, at: new Date(event.at) });
  return {
    replaces: row?.replaces ?? undefined,
    replacedBy: row?.replacedBy ?? undefined,
    creator: row?.creator ?? undefined,
    refusals: (row?.refusals ?? []).map(dated),
    events: (row?.events ?? []).map(dated),
  };
}

const ACTIONS: Readonly<Record<string, string>> = {
  'api_key.create': 'Created',
  'api_key.update': 'Changed',
  'api_key.rotate': 'Rotated',
  'api_key.revoke': 'Revoked',
  'api_key.import': 'Imported',
};

const REASONS: Readonly<Record<string, string>> = {
  revoked: 'It is revoked',
  expired: 'It has expired',
  address_not_allowed: 'The address is not allowed',
  tenant_suspended: 'The organization is suspended',
  scope_insufficient: 'It lacks a scope',
  principal_not_admitted: 'Keys of this kind are not admitted there',
  not_bound: 'It is bound to other records',
  presentation_not_allowed: 'It was sent in a way that its kind does not allow',
  exposed: 'It was sent in a URL',
};

/** Entries as the page shows them. */
export function eventsInWords(events: readonly StoredEvent[]): readonly {
  readonly at: Moment;
  readonly text: string;
  readonly actor: string;
  readonly address: string | undefined;
  readonly occurrences: string;
}[] {
  return events.map(({ at, action, actor, actorName, address, details, occurrences }) => ({
    at: minute(at),
    text: wordsFor(action, details),
    actor: actorName ?? (actor === 'operator' ? 'the operator' : actor),
    address: address ?? undefined,
    occurrences: occurrences.toLocaleString('en'),
  }));
}

function wordsFor(action: string, details: Readonly<Record<string, unknown>>): string {
  const { reason } = details;
  if (action === 'credential.refused' && typeof reason === 'string') {
    return REASONS[reason] ?? reason.replaceAll('_', ' ');
  }
  return ACTIONS[action] ?? action.replaceAll(/[._]/g, ' ');
}
