import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import { createSigningKeyStore, type PublishedKey } from '../signing-keys/signing-key-store.js';
import { Refused, type Command } from './command.js';

export const SIGNING_KEY_COMMANDS: readonly Command[] = [
  {
    name: 'signing-keys list',
    usage: '',
    summary: 'Lists the published keys for id_tokens: which one signs, and until when others stay.',
    options: {},
    positionals: [0, 0],
    run: async ({ manager, keyring }) =>
      (await createSigningKeyStore(manager, keyring).list()).map(present),
  },
  {
    name: 'signing-keys rotate',
    usage: '',
    summary:
      'Makes a new key for id_tokens. It is published now and signs in an hour; the old one stays published until its last token has expired.',
    options: {},
    positionals: [0, 0],
    async run({ manager, keyring }) {
      const { outcome, key } = await createSigningKeyStore(manager, keyring).rotate();
      if (outcome === 'pending') {
        throw new Refused(
          `The last rotation is still under way: ${key.id} signs from ${key.signsFrom.toISOString()} on.`,
        );
      }
      await createAuditLog(manager).record(OPERATOR, {
        tenantId: null,
        action: 'signing_key.rotate',
        subject: key.id,
        details: { algorithm: key.algorithm, signsFrom: key.signsFrom },
      });
      return present(key);
    },
  },
];

function present({ id, state, algorithm, createdAt, signsFrom, endsAt }: PublishedKey) {
  return { id, state, algorithm, createdAt, signsFrom, endsAt };
}
