/** The prefix of a subject that is the thumbprint (RFC 7638) of a key. */
const PREFIX = 'jkt_';

/** The subjects that bind a credential to a key: its last, or none. */
export function proofSubjects(thumbprint: string | null | undefined): readonly string[] {
  return thumbprint === null || thumbprint === undefined ? [] : [PREFIX + thumbprint];
}

/**
 * The thumbprint of the key that a credential is bound to.
 * @param lastSubject the last of its subjects
 */
export function proofKeyOf(lastSubject: string | undefined): string | null {
  return lastSubject?.startsWith(PREFIX) ? lastSubject.slice(PREFIX.length) : null;
}
