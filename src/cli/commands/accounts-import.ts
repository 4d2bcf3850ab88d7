import type { AccountImportReport } from '../../accounts/index.js';
import { eitherOf } from '../backend.js';
import { defineSharedCommand } from '../command.js';

const actions = eitherOf(
  () => import('../actions/accounts-import.js'),
  () => import('../remote/accounts-import.js'),
);

export const ACCOUNTS_IMPORT_COMMAND = defineSharedCommand({
  name: 'accounts import',
  summary: 'Imports accounts with their password hashes and memberships. Can be repeated.',
  details:
    'The input has a JSON object on each line: {"email", "name", "emailVerified", "externalId", "metadata", "passwordHash", "memberships": [{"tenant", "role"}]}; only "email" is required. Hashes are of bcrypt, scrypt, argon2 or PBKDF2, and are replaced at the next sign-in. Accounts are found by "externalId", or else by "email". Those that exist are left as they are, unless --update is given.',
  options: {
    file: { value: 'FILE', summary: 'file to read instead of standard input' },
    refused: { value: 'FILE', summary: 'file for all refused lines, with the reasons' },
    update: { summary: 'change accounts that exist, and add their memberships' },
    'dry-run': { summary: 'report what would happen, and change nothing' },
  },
  examples: [
    'cli accounts import --file accounts.jsonl --refused refused.jsonl',
    'cli accounts import --update --dry-run < accounts.jsonl',
  ],
  commitsItself: true,
  run: async (context, values) => (await actions(context)).importAccountsFrom(values),
  isRefusal: (result) => (result as AccountImportReport).refused > 0,
});
