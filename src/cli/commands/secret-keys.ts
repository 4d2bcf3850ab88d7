import { defineCommand, type Command } from '../command.js';

export const SECRET_KEY_COMMANDS: readonly Command[] = [
  defineCommand({
    name: 'secret-keys status',
    summary: 'Counts the stored data that depends on each of the SECRET_KEYS.',
    examples: ['cli secret-keys status'],
    run: async ({ dataSource, keyring }) => {
      const { countSecretKeyUsage } = await import('../../server/secret-key-usage.js');
      return countSecretKeyUsage(dataSource, keyring);
    },
  }),
];
