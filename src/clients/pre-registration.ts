import type { EntityManager } from 'typeorm';

import { type Actor, createAuditLog } from '../audit/index.js';
import type { Keyring, SecretFormat } from '../credentials/index.js';
import { createId } from '../db/id.js';
import { OAuthError } from '../http/errors/oauth-error.js';
import { invalid } from '../http/validation.js';
import { createClientAdministration } from './client-administration.js';
import { publicClientId, publicForm } from './client-id.js';
import { createClientStore } from './client-store.js';
import type { Client } from './client.entity.js';
import type { ClientMetadata, MetadataReader } from './registration/client-metadata.js';
import { isSymmetric } from './registration/metadata-members.js';
import { createRegistrationTokens } from './registration/token.js';

/** A client that the operator registered, with its secrets, which are shown once. */
export interface PreRegistered {
  readonly client: Client;
  readonly registrationToken: string;
  /** Clients that authenticate with a secret only. */
  readonly clientSecret: string | undefined;
}

/** Registers clients for the operator: verified, and without the limits of open registration. */
export interface PreRegistration {
  /**
   * @param body metadata as RFC 7591 has it
   * @throws Problem `validation_failed`
   */
  register(manager: EntityManager, actor: Actor, body: unknown): Promise<PreRegistered>;
}

export function createPreRegistration({
  keyring,
  format,
  readMetadata,
}: {
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly readMetadata: MetadataReader;
}): PreRegistration {
  const tokens = createRegistrationTokens({ keyring, format });

  async function insert(manager: EntityManager, metadata: ClientMetadata) {
    const store = createClientStore(manager);
    if (metadata.token_endpoint_auth_method === 'none') {
      const id = publicClientId(metadata);
      const isNew = await store.insertPublic(id, publicForm(metadata));
      return { id, isNew, registrationToken: tokens.derive(id), clientSecret: undefined };
    }
    const id = createId('cli');
    const isSecret = isSymmetric(metadata.token_endpoint_auth_method);
    const clientSecret = isSecret ? format.mint('cs') : undefined;
    const { token, digest } = tokens.mint();
    const secret = clientSecret === undefined ? undefined : keyring.digest(clientSecret);
    await store.insertConfidential({ id, metadata, secret, registration: digest });
    return { id, isNew: true, registrationToken: token, clientSecret };
  }

  return {
    async register(manager, actor, body) {
      const metadata = read(readMetadata, body);
      const { id, isNew, ...secrets } = await insert(manager, metadata);
      const { client_name: name, redirect_uris, token_endpoint_auth_method } = metadata;
      if (isNew) {
        await createAuditLog(manager).record(actor, {
          tenantId: null,
          action: 'client.register',
          subject: id,
          details: { name, redirect_uris, token_endpoint_auth_method },
        });
      }
      const administration = createClientAdministration(manager);
      await administration.setVerified(actor, id, true);
      return { client: await administration.find(id), ...secrets };
    },
  };
}

function read(readMetadata: MetadataReader, body: unknown): ClientMetadata {
  try {
    return readMetadata(body);
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    const field = error.error === 'invalid_redirect_uri' ? 'redirect_uris' : '';
    throw invalid([{ field, code: 'invalid_value', message: `is refused: ${error.message}` }]);
  }
}
