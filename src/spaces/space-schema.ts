import { z } from 'zod';

import { holdsCredential } from '../credentials/index.js';
import { annotationFields, annotationQuery } from '../http/annotations.js';
import { PAGE_QUERY } from '../http/pagination.js';
import { text } from '../http/validation.js';

const annotations = annotationFields(holdsCredential);

const name = text(100).refine((value) => !holdsCredential(value), 'must not contain a credential');

/** The body of a request that creates a space. */
export const spaceFields = z.strictObject({ name, ...annotations.created });
export type NewSpace = z.output<typeof spaceFields>;

/** The body of a request that changes a space. Absent members are not changed. */
export const spaceChange = z.strictObject({ name: name.optional(), ...annotations.changed });
export type SpaceChange = z.output<typeof spaceChange>;

export const SPACE_QUERY = PAGE_QUERY.extend(annotationQuery);
