import type { OpenList } from '../listing.js';
import type { OperatorClient } from './operator-client.js';

/** A list of the operator's API, page by page. */
export function openRemoteList<Item extends object = object>(
  api: OperatorClient,
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  present: (item: Item) => object = (item) => item,
): OpenList<object, unknown> {
  return {
    read: (page) => api.page<Item>(path, query, page),
    present: (item) => present(item as Item),
  };
}

/** The parameters of a list that is filtered by external id and metadata. */
export function annotationParameters({
  externalId,
  metadata,
}: {
  readonly externalId?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}): Readonly<Record<string, string | undefined>> {
  const members = Object.entries(metadata ?? {});
  return {
    externalId,
    ...Object.fromEntries(members.map(([name, value]) => [`metadata[${name}]`, value])),
  };
}

/** A part of a path. */
export function part(text: string): string {
  return encodeURIComponent(text);
}
