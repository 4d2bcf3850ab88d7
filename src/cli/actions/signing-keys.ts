import { createAuditLog, OPERATOR } from '../../audit/index.js';
import {
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
} from '../../credentials/secrets/signing-algorithms.js';
import {
  createSigningKeyStore,
  type PublishedKey,
  type SigningKeyStore,
} from '../../signing-keys/index.js';
import type { CommandContext } from '../command.js';
import { Refused } from '../errors.js';

export async function listSigningKeys({ manager, keyring }: CommandContext) {
  return (await createSigningKeyStore(manager, keyring).list()).map(present);
}

export async function rotateSigningKeys(
  { manager, keyring }: CommandContext,
  { algorithm: named }: { readonly algorithm: SigningAlgorithm | undefined },
) {
  const store = createSigningKeyStore(manager, keyring);
  const rotated = [];
  for (const algorithm of named === undefined ? SIGNING_ALGORITHMS : [named]) {
    rotated.push(present(await rotate(store, algorithm)));
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
}

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
