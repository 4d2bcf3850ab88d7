import { eitherOf } from '../backend.js';
import { defineCommand, defineSharedCommand, type Command } from '../command.js';
import { Misuse } from '../errors.js';

const revocations = eitherOf(
  () => import('../actions/revoke.js'),
  () => import('../remote/revoke.js'),
);

export const CREDENTIAL_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'verify',
    summary: 'Reads a credential from standard input, and prints the verdict and its reason.',
    options: {
      address: { value: 'ADDRESS', summary: 'address that it is used from' },
      routes: { summary: 'list which routes it opens' },
      against: { value: 'URL', summary: 'ask a running server on all routes that only read' },
    },
    examples: [
      'cli verify < key.txt',
      'cli verify --routes --against http://localhost:3000 < key.txt',
    ],
    readsInput: () => true,
    run: async (context, values) =>
      (await import('../actions/verify.js')).verifyCredential(context, values),
    isRefusal: (result) => (result as { outcome: string }).outcome === 'refused',
  }),
  defineSharedCommand({
    name: 'revoke',
    summary: 'Ends a key, a grant, or everything issued so far to a subject or before a time.',
    details:
      'A subject is a key (key_…), a grant (grt_…), a tenant (tnt_…), an account (usr_…), a membership (usr_…@tnt_…), a credential of a resource server (rsc_…), or a client, in all tenants (cli_…) or in one (cli_…@tnt_…).',
    arguments: { subject: { summary: 'the subject; or give --issued-before' } },
    options: {
      'issued-before': {
        value: 'TIME',
        summary:
          'end every key, grant, token, session, invitation and link issued before, such as 2030-01-31T12:00:00Z',
      },
      reason: { value: 'TEXT', summary: 'reason for the audit log' },
    },
    examples: [
      'cli revoke tnt_… --reason "contract ended" --yes',
      'cli revoke usr_…@tnt_…',
      'cli revoke --issued-before 2030-01-31T12:00:00Z',
    ],
    schema: 'any',
    question({ subject, issuedBefore }) {
      if ((subject === undefined) === (issuedBefore === undefined)) {
        throw new Misuse('Name a subject or --issued-before, one of them.');
      }
      return issuedBefore === undefined
        ? `Revoke ${subject} and everything issued under it so far? None of it ever works again.`
        : `Revoke every key, grant, token, session, invitation and link issued before ${issuedBefore}? None of it ever works again.`;
    },
    run: async (context, values) => (await revocations(context)).revokeSubject(values),
  }),
  defineCommand({
    name: 'recover',
    summary: 'After a restore: ends credentials that may have been revoked since a time.',
    details:
      'Grants, tokens, sessions, invitations and links that were issued before the time end. Keys, also those of resource servers, are listed for you to decide on, or ended with --keys.',
    options: {
      since: {
        value: 'TIME',
        required: true,
        summary: 'time of the restored state, such as 2030-01-31T12:00:00Z, or now',
      },
      keys: { summary: 'end keys as well' },
    },
    examples: ['cli recover --since now', 'cli recover --since 2030-01-31T12:00:00Z'],
    question: ({ since, keys }) =>
      `End every grant, token and session issued before ${since}${keys ? ', and every key' : ''}? Users have to sign in again.`,
    run: async (context, values) =>
      (await import('../actions/recover.js')).recover(context, values),
  }),
];
