import { createAuditLog, OPERATOR } from '../audit/audit-log.js';
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../credentials/secrets/signing-algorithms.js';
import {
  createSigningKeyStore,
  type PublishedKey,
  type SigningKeyStore,
} from '../signing-keys/signing-key-store.js';
import { Misuse, Refused, type Command } from './command.js';

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
    usage: '[--algorithm RS256|ES256]',
    summary:
      'Makes new keys for id_tokens, one for each algorithm unless one is named. They are published now and sign in an hour; the old ones stay published until their last token has expired.',
    options: { algorithm: { type: 'string' } },
    positionals: [0, 0],
    async run({ manager, keyring }, args) {
      const named = args.option('algorithm');
      const algorithms = SIGNING_ALGORITHMS.filter((name) => named === undefined || name === named);
      if (algorithms.length === 0) {
        throw new Misuse(`--algorithm must be one of ${SIGNING_ALGORITHMS.join(', ')}.`);
      }
      const rotated = [];
      for (const algorithm of algorithms) {
        rotated.push(present(await rotate(createSigningKeyStore(manager, keyring), algorithm)));
      }
      for (const { id, algorithm, signsFrom } of rotated) {
        await createAuditLog(manager).record(OPERATOR, {
          tenantId: null,
          action: 'signing_key.rotate',
          subject: id,
          details: { algorithm, signsFrom },
        });
      }
      return rotated;
    },
  },
];

/** @throws Refused while the last rotation has not taken effect: then no key of the others is made either */
async function rotate(store: SigningKeyStore, algorithm: SigningAlgorithm): Promise<PublishedKey> {
  const { outcome, key } = await store.rotate(algorithm);
  if (outcome === 'rotated') return key;
  throw new Refused(
    `The last rotation of ${algorithm} is still under way: ${key.id} signs from ${key.signsFrom.toISOString()} on.`,
  );
}

function present({ id, state, algorithm, createdAt, signsFrom, endsAt }: PublishedKey) {
  return { id, state, algorithm, createdAt, signsFrom, endsAt };
}
