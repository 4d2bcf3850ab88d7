import { type ShownEntry, thingOf } from '../../audit-log/index.js';
import { minute, type Moment } from '../moments.js';
import type { OrganizationContext } from '../organization-context.js';
import { numberText } from '../usage/usage-chart.js';
import { actionInWords, reasonInWords } from './action-words.js';
import type { EntryLinks } from './entry-links.js';

/** A thing that an entry names. */
interface ShownThing {
  readonly text: string;
  /** The log, narrowed to it. */
  readonly entries: string;
}

/** An entry as the page shows it. */
export interface EntryRow {
  readonly at: Moment;
  readonly actor: ShownThing;
  readonly action: string;
  readonly object: ShownThing & {
    /** Its own page. Absent for what was deleted, and for what the visitor may not open. */
    readonly page: string | undefined;
  };
  readonly isRefused: boolean;
  /** The reason of a refusal, and how often it happened. */
  readonly remark: string | undefined;
  readonly address: string | undefined;
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  /** Members before and after a change. */
  readonly changes: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
  }[];
}

export const LOG = '/settings/audit-log';

type Details = Readonly<Record<string, unknown>>;

/** The view of an entry. @param links the pages of things, by their ids */
export function showEntry(
  entry: ShownEntry,
  { href }: OrganizationContext,
  links: EntryLinks,
): EntryRow {
  const { actor, object, action, details, count, address, requestId, id, createdAt } = entry;
  const isRefused = entry.result === 'refused';
  const { before, after, ...rest } = details;
  return {
    at: minute(new Date(createdAt)),
    actor: {
      text: actor.type === 'operator' ? 'The operator' : (actor.name ?? actor.id),
      entries: href(LOG, { actor: actor.id }),
    },
    action: actionInWords(action),
    object: {
      text: object.name ?? object.id,
      entries: href(LOG, { object: object.id }),
      page: links.get(thingOf(object.id)),
    },
    isRefused,
    remark: isRefused ? remarkOf(details, count) : undefined,
    address: address ?? undefined,
    facts: factsOf(
      { Entry: id, Action: action, Actor: actor.id, Object: object.id, Request: requestId },
      rest,
    ),
    changes: changesOf(before, after),
  };
}

function remarkOf({ reason }: Details, count: number): string {
  const times = count === 1 ? 'once' : `${numberText(count)} times`;
  return typeof reason === 'string' ? `${times}: ${reasonInWords(reason)}` : times;
}

function factsOf(ids: Readonly<Record<string, string | null>>, rest: Details): EntryRow['facts'] {
  const named = Object.entries(ids).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value }],
  );
  const more = Object.entries(rest).map(([name, value]) => ({ name, value: textOf(value) }));
  return [...named, ...more];
}

/** A change is recorded as two objects with the changed members, or as two values. */
function changesOf(before: unknown, after: unknown): EntryRow['changes'] {
  if (before === undefined && after === undefined) return [];
  if (!isRecord(before) || !isRecord(after)) {
    return [{ name: 'value', before: textOf(before), after: textOf(after) }];
  }
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names.map((name) => ({
    name,
    before: textOf(before[name]),
    after: textOf(after[name]),
  }));
}

function isRecord(value: unknown): value is Details {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(textOf).join(', ');
  return JSON.stringify(value);
}
