import { annotationQuery, type AnnotationFilter } from '../http/annotations.js';
import { Misuse } from './errors.js';
import { parseOption } from './parse-option.js';

/** The options of commands that set an external id and metadata. */
export interface AnnotationValues {
  readonly externalId: string | undefined;
  /** JSON. */
  readonly metadata: string | undefined;
}

/** The options of lists that are filtered by them. */
export interface FilterValues {
  readonly externalId: string | undefined;
  /** Each such as `plan=pro`. */
  readonly metadata: readonly string[];
}

/**
 * The members that the options set, not checked yet. An empty external id removes it.
 * @throws Misuse for metadata that is not JSON
 */
export function givenAnnotations({ externalId, metadata }: AnnotationValues) {
  return {
    ...(externalId !== undefined && { externalId: externalId === '' ? null : externalId }),
    ...(metadata !== undefined && { metadata: readJson(metadata) }),
  };
}

/** @throws Misuse for a filter of another form */
export function filterOf({ externalId, metadata }: FilterValues): AnnotationFilter {
  const members = metadata.map((text): [string, string] => {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (name === '') throw new Misuse('--metadata must be a member and its value: plan=pro.');
    return [name, value];
  });
  const wanted = members.length === 0 ? undefined : Object.fromEntries(members);
  return {
    externalId: parseOption('external-id', annotationQuery.externalId, externalId),
    metadata: parseOption('metadata', annotationQuery.metadata, wanted),
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Misuse(`--metadata must be a JSON object, such as '{"plan": "pro"}'.`);
  }
}
