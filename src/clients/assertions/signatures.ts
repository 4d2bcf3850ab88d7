import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';
import { z } from 'zod';

import {
  ASSERTION_ALGORITHMS,
  type AssertionAlgorithm,
} from '../../credentials/secrets/signing-algorithms.js';
import type { RunPrepared } from '../../db/prepared.js';
import { type ClientKeys, createKeptKeys } from './kept-keys.js';
import { keysFor, readPublicKeys, type PublicKey } from './public-keys.js';
import type { RemoteKeys } from './remote-keys.js';

const header = z.object({
  alg: z.enum(ASSERTION_ALGORITHMS),
  kid: z.string().max(1000).optional(),
});

type Head = z.output<typeof header>;

/** @returns `undefined` for an unreadable header, or an algorithm that is not allowed */
export function readHeader(assertion: string): Head | undefined {
  try {
    return header.safeParse(decodeProtectedHeader(assertion)).data;
  } catch {
    return undefined;
  }
}

/** Whether an assertion is signed with a key of its client: registered, published, or the last published one. */
type SignatureCheck = (assertion: string, clientId: string, head: Head) => Promise<boolean>;

export function createSignatureCheck(run: RunPrepared, remoteKeys: RemoteKeys): SignatureCheck {
  const keptKeys = createKeptKeys(run);

  async function isSignedBy(assertion: string, clientId: string, head: Head): Promise<boolean> {
    const client = await keptKeys.find(clientId);
    if (client === undefined) return false;
    if (client.algorithm !== null && client.algorithm !== head.alg) return false;
    return client.uri === null
      ? fits(assertion, head, keysIn(client.jwks))
      : isSignedByPublished(assertion, head, clientId, { ...client, uri: client.uri });
  }

  async function isSignedByPublished(
    assertion: string,
    head: Head,
    clientId: string,
    client: ClientKeys & { readonly uri: string },
  ): Promise<boolean> {
    const { uri, kept } = client;
    let keys = await remoteKeys.find(uri);
    let isFitting = await fits(assertion, head, keys);
    // Keys by which the client authenticated before, while its host is down.
    if (keys.length === 0) return kept !== null && fits(assertion, head, keysIn(kept));
    if (!isFitting) {
      // The client may have published a new key since they were fetched.
      const newer = await remoteKeys.find(uri, keys);
      isFitting = newer !== keys && (await fits(assertion, head, newer));
      keys = newer;
    }
    if (isFitting) {
      await keptKeys.keep(clientId, client, { keys, ageSeconds: remoteKeys.ageOf(uri) });
    }
    return isFitting;
  }

  return isSignedBy;
}

function keysIn(jwks: unknown): readonly PublicKey[] {
  const keys = readPublicKeys(jwks);
  return typeof keys === 'string' ? [] : keys;
}

async function fits(
  assertion: string,
  { alg, kid }: Head,
  keys: readonly PublicKey[],
): Promise<boolean> {
  for (const key of keysFor(keys, alg, kid)) {
    if (await isSigned(assertion, key, alg)) return true;
  }
  return false;
}

async function isSigned(
  assertion: string,
  { use: _use, alg: _alg, kid: _kid, ...key }: PublicKey,
  algorithm: AssertionAlgorithm,
): Promise<boolean> {
  try {
    const imported = await importJWK(key, algorithm);
    await compactVerify(assertion, imported, { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}
