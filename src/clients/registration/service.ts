import type { DataSource, EntityManager } from 'typeorm';

import { createAuditLog } from '../../audit/index.js';
import { createRevocationStore, type Keyring, type SecretFormat } from '../../credentials/index.js';
import { FORMER_SIGNING_ALGORITHM } from '../../credentials/secrets/signing-algorithms.js';
import { createId } from '../../db/id.js';
import { repeatOnConflict } from '../../db/repeat.js';
import { OAuthError } from '../../http/errors/oauth-error.js';
import { publicClientId, publicForm } from '../client-id.js';
import { assertMayChange, assertSameClient } from './change-checks.js';
import {
  changedMembers,
  isShownOtherwise,
  type ClientMetadata,
  type MetadataReader,
} from './client-metadata.js';
import { isSymmetric } from './metadata-members.js';
import { createClientStore } from '../client-store.js';
import type { Client } from '../client.entity.js';
import type { RegistrationLimits } from './limits.js';
import { createRegistrationTokens } from './token.js';

/** The members of a request that the audit log stores. */
export interface RegistrationSource {
  readonly address: string;
  readonly requestId: string;
}

/** A registration with its secrets, which are shown once. */
export interface Registered {
  readonly client: Client;
  readonly registrationToken: string;
  /** Clients that authenticate with a secret only. */
  readonly clientSecret?: string;
}

/** Client registration (RFC 7591) and its management (RFC 7592). */
export interface RegistrationService {
  /**
   * Creates a client, or finds the public client with the same metadata.
   * @throws OAuthError 429 for too many new clients of an address
   */
  register(metadata: ClientMetadata, source: RegistrationSource): Promise<Registered>;
  /**
   * The client that a registration token was issued to.
   * @throws OAuthError 401 `invalid_token` for any other token, and for an unknown client
   */
  get(id: string, token: string | undefined): Promise<Client>;
  /**
   * Replaces the metadata of a confidential client (RFC 7592 §2.2).
   * @param body the request's JSON
   * @throws OAuthError as `get` does; 403 for public clients, 400 for invalid metadata
   */
  replace(
    id: string,
    token: string | undefined,
    body: unknown,
    source: RegistrationSource,
  ): Promise<Client>;
  /**
   * Deletes a confidential client and revokes all its tokens (RFC 7592 §2.3).
   * @throws OAuthError as `get` does; 403 for public clients
   */
  delete(id: string, token: string | undefined, source: RegistrationSource): Promise<void>;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly keyring: Keyring;
  readonly format: SecretFormat;
  readonly limits: RegistrationLimits;
  readonly readMetadata: MetadataReader;
  /** Deletes users' consents after a change that users would see. */
  readonly forgetConsents: (manager: EntityManager, clientId: string) => Promise<void>;
}

export function createRegistrationService(dependencies: Dependencies): RegistrationService {
  const { dataSource, keyring, format } = dependencies;
  const tokens = createRegistrationTokens({ keyring, format });
  const parts: Parts = {
    ...dependencies,
    tokens,
    transaction: (work) => repeatOnConflict(() => dataSource.transaction(work)),
  };
  const admission = createAdmission(parts);
  return {
    get: admission.get,
    register: createRegister(parts),
    ...createManagement(parts, admission),
  };
}

interface Parts extends Dependencies {
  readonly tokens: ReturnType<typeof createRegistrationTokens>;
  readonly transaction: <Result>(
    work: (manager: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
}

function createRegister({
  dataSource,
  keyring,
  format,
  limits,
  tokens,
  transaction,
}: Parts): RegistrationService['register'] {
  async function insertPublic(
    id: string,
    metadata: ClientMetadata,
    source: RegistrationSource,
  ): Promise<Client> {
    return transaction(async (manager) => {
      const store = createClientStore(manager);
      const refusal = await limits.takeCreation(manager, source.address);
      if (refusal !== undefined) {
        // A concurrent request may have created this client with the last attempt.
        const made = await store.find(id);
        if (made === undefined) throw refusal;
        return made;
      }
      if (await store.insertPublic(id, publicForm(metadata))) {
        await recordNew(manager, id, metadata, source);
      } else {
        await limits.giveBackCreation(manager, source.address);
      }
      return getStored(manager, id);
    });
  }

  async function insertConfidential(
    metadata: ClientMetadata,
    source: RegistrationSource,
  ): Promise<Registered> {
    const id = createId('cli');
    const isSecret = isSymmetric(metadata.token_endpoint_auth_method);
    const clientSecret = isSecret ? format.mint('cs') : undefined;
    const { token, digest } = tokens.mint();
    const client = await transaction(async (manager) => {
      const refusal = await limits.takeCreation(manager, source.address);
      if (refusal !== undefined) throw refusal;
      const secret = clientSecret === undefined ? undefined : keyring.digest(clientSecret);
      const store = createClientStore(manager);
      await store.insertConfidential({ id, metadata, secret, registration: digest });
      await recordNew(manager, id, metadata, source);
      return getStored(manager, id);
    });
    const issued = clientSecret === undefined ? {} : { clientSecret };
    return { client, registrationToken: token, ...issued };
  }

  return async (metadata, source) => {
    if (metadata.token_endpoint_auth_method !== 'none') {
      return insertConfidential(metadata, source);
    }
    const id = publicClientId(metadata);
    const known = await createClientStore(dataSource.manager).findAndRenew(id);
    const client = known ?? (await insertPublic(id, metadata, source));
    return { client, registrationToken: tokens.derive(id) };
  };
}

type Admission = ReturnType<typeof createAdmission>;

/** Admits the holder of a client's registration access token. */
function createAdmission({ dataSource, keyring, tokens }: Parts) {
  /** @throws OAuthError 401 unless the token is the client's */
  function admit(client: Client | undefined, token: string | undefined): Client {
    if (client !== undefined && token !== undefined && tokens.admits(client, token)) return client;
    // RFC 6750 §3: one parameter at least, but no error code without a presented token.
    const error = token === undefined ? '' : ', error="invalid_token"';
    const challenge = `Bearer realm="oauth"${error}`;
    throw new OAuthError(
      401,
      'invalid_token',
      'Present the registration access token of this client.',
      { 'WWW-Authenticate': challenge },
    );
  }

  async function get(id: string, token: string | undefined): Promise<Client> {
    const store = createClientStore(dataSource.manager);
    const client = admit(await store.find(id), token);
    if (token !== undefined && isUnderOldKey(client, keyring)) {
      await store.moveRegistrationDigest(id, keyring.digest(token));
    }
    return client;
  }

  return { admit, get };
}

function createManagement(
  { keyring, limits, readMetadata, forgetConsents, transaction }: Parts,
  { admit, get }: Admission,
): Pick<RegistrationService, 'replace' | 'delete'> {
  return {
    async replace(id, token, body, source) {
      assertMayChange(await get(id, token));
      await limits.takeChange(id, source.address);
      return transaction(async (manager) => {
        const store = createClientStore(manager);
        const client = admit(await store.findForUpdate(id), token);
        const { token_endpoint_auth_method: authMethod, ...current } = client.metadata;
        const metadata = readMetadata(body, {
          authMethod,
          // A client of an earlier release, which had no choice, keeps its algorithm.
          algorithm: current.id_token_signed_response_alg ?? FORMER_SIGNING_ALGORITHM,
        });
        assertSameClient(client, body, metadata, keyring);
        const isOtherwise = isShownOtherwise(client.metadata, metadata);
        await store.update(id, metadata, isOtherwise);
        if (isOtherwise) await forgetConsents(manager, id);
        await createAuditLog(manager).record(
          { id, ...source },
          {
            tenantId: null,
            action: 'client.update',
            subject: id,
            details: { changed: changedMembers(client.metadata, metadata) },
          },
        );
        return getStored(manager, id);
      });
    },

    async delete(id, token, source) {
      assertMayChange(await get(id, token));
      await transaction(async (manager) => {
        // First: it waits for tokens that are being issued, whose transactions need the row.
        await createRevocationStore(manager).revoke(id, id, 'deleted by the client');
        const store = createClientStore(manager);
        const { name } = admit(await store.findForUpdate(id), token);
        await createAuditLog(manager).record(
          { id, ...source },
          { tenantId: null, action: 'client.delete', subject: id, details: { name } },
        );
        await store.delete(id);
      });
    },
  };
}

async function recordNew(
  manager: EntityManager,
  id: string,
  metadata: ClientMetadata,
  source: RegistrationSource,
): Promise<void> {
  const { client_name: name, redirect_uris, token_endpoint_auth_method } = metadata;
  await createAuditLog(manager).record(
    { id, ...source },
    {
      tenantId: null,
      action: 'client.register',
      subject: id,
      details: { name, redirect_uris, token_endpoint_auth_method },
    },
  );
}

async function getStored(manager: EntityManager, id: string): Promise<Client> {
  const client = await createClientStore(manager).find(id);
  if (client === undefined) throw new Error(`client ${id} vanished within its transaction`);
  return client;
}

function isUnderOldKey({ registrationDigestKeyId }: Client, { currentId }: Keyring): boolean {
  return registrationDigestKeyId !== null && registrationDigestKeyId !== currentId;
}
