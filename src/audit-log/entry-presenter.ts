import { z } from 'zod';

import { time } from '../http/answers.js';
import { eventIdOf } from './event-id.js';
import { REFUSED_SUFFIX, type Entry } from './entry-store.js';
import { RESULTS, type Result } from './entry-filters.js';
import type { Names } from './names.js';

/** The actor or object of an entry. */
export interface Named {
  /** Such as `account`, `api_key` or `space`; `null` for a subject of no known type. */
  readonly type: string | null;
  readonly id: string;
  /** Its present name; for something deleted, and for an invitation, the name or address that the entry recorded. */
  readonly name: string | null;
}

/** An entry as the API, the exports and the command line show it. */
export interface ShownEntry {
  /** Stays the same for ever (`evt_…`). */
  readonly id: string;
  readonly createdAt: string;
  readonly actor: Named;
  readonly action: string;
  readonly object: Named;
  readonly result: Result;
  readonly address: string | null;
  readonly requestId: string | null;
  /** How often it happened. Refusals of a minute or an hour share one entry. */
  readonly count: number;
  readonly details: Readonly<Record<string, unknown>>;
}

const named = z.strictObject({
  type: z.string().nullable(),
  id: z.string(),
  name: z.string().nullable(),
});

/** The schema of a shown entry. */
export const entryAnswer = z.strictObject({
  id: z.string().regex(/^evt_/),
  createdAt: time,
  actor: named,
  action: z.string(),
  object: named,
  result: z.enum(RESULTS),
  address: z.string().nullable(),
  requestId: z.string().nullable(),
  count: z.int().min(1),
  details: z.record(z.string(), z.unknown()),
});

/** Types by the prefix of an id. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['usr', 'account'],
  ['key', 'api_key'],
  ['opk', 'operator_key'],
  ['tok', 'access_token'],
  ['grt', 'grant'],
  ['cli', 'client'],
  ['https', 'client'],
  ['spc', 'space'],
  ['tnt', 'tenant'],
  ['rsv', 'resource_server'],
  ['whk', 'webhook'],
]);

/** Actors that are not things. */
const ACTORS = ['operator', 'anonymous', 'system'];

/** The ids of an entry that `findNames` can name. */
export function namedIn({ actor, subject }: Entry): readonly string[] {
  return [actor, thingOf(subject)];
}

export function presentEntry(entry: Entry, names: Names): ShownEntry {
  const { micros, actor, action, subject, details, address, requestId, occurrences } = entry;
  const recorded = [details['name'], details['email']].find((one) => typeof one === 'string');
  const thing = thingOf(subject);
  return {
    id: eventIdOf(entry),
    createdAt: new Date(Math.floor(micros / 1000)).toISOString(),
    actor: {
      type: ACTORS.includes(actor) ? actor : typeOf(actor),
      id: actor,
      name: names.get(actor) ?? null,
    },
    action,
    object: { type: typeOf(thing), id: subject, name: names.get(thing) ?? recorded ?? null },
    result: action.endsWith(REFUSED_SUFFIX) ? 'refused' : 'success',
    address,
    requestId,
    count: occurrences,
    details,
  };
}

/** The id of a thing in a subject. A membership or an app in a tenant is named `usr_…@tnt_…` or `cli_…@tnt_…`. */
export function thingOf(subject: string): string {
  return subject.replace(/@tnt_\w+$/, '');
}

function typeOf(id: string): string | null {
  return TYPES.get(id.split(/[_:]/, 1)[0] ?? '') ?? null;
}
