import { OPERATOR } from '../../audit/index.js';
import { revokeSubject as revoke } from '../../revoke-endpoints/index.js';
import type { CommandContext } from '../command.js';
import { revokeIssuedBefore } from './recover.js';

/** Ends a subject, or everything that was issued before a time. */
export async function revokeSubject(
  { manager }: CommandContext,
  values: {
    readonly subject: string | undefined;
    readonly issuedBefore: string | undefined;
    readonly reason: string | undefined;
  },
) {
  const { subject, issuedBefore = '', reason = null } = values;
  if (subject === undefined) return revokeIssuedBefore(manager, issuedBefore, reason);
  await revoke(manager, OPERATOR, subject, reason);
  return { subject, revoked: true, reason };
}
