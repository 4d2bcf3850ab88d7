import type { DataSource, EntityManager } from 'typeorm';

import type { Actor } from '../../audit/index.js';
import { repeatOnConflict } from '../../db/repeat.js';
import { withoutTrailingDot, type IsHostAllowed } from '../../http/public-host.js';
import type { Outbound } from '../../outbound/index.js';
import type { AddressLimit, AttemptVerdict } from '../../rate-limits/index.js';
import { createClientStore } from '../client-store.js';
import { PATIENCE_MS, within } from '../patience.js';
import { changedMembers, type MetadataReader } from '../registration/client-metadata.js';
import type { RegistrationLimits } from '../registration/limits.js';
import { readDocument } from './document.js';
import {
  findCopy,
  insertCopy,
  isChangeAllowed,
  replaceCopy,
  type FetchedDocument,
} from './document-store.js';
import { isDocumentUrl } from './document-url.js';
import { freshSecondsOf } from './freshness.js';

const MAX_BYTES = 5 * 1024;
const MEDIA_TYPES = ['application/json'];
/** Documents that one replica fetches for clients that it does not know, in a minute. */
const MAX_NEW_PER_MINUTE = 300;

/** The reason why a document cannot be used, for the log, or the time until another one may be fetched. */
export type DocumentFault =
  | { readonly fault: 'unusable'; readonly reason: string }
  | { readonly fault: 'throttled'; readonly retryAfterSeconds: number };

/** The request for which a document is fetched. */
export interface DocumentSource {
  readonly address: string;
  readonly requestId: string;
}

/**
 * Clients that are identified by the URL of a document (draft-ietf-oauth-client-id-metadata-document). Documents are
 * fetched when a user or a client begins something. Every other request uses the stored copy, a client like any other.
 */
export interface ClientDocuments {
  /**
   * Fetches the client's document unless the stored copy is fresh. While it cannot be fetched, is slow, or is not usable,
   * the copy remains in use.
   *
   * @returns the fault if there is no copy; `undefined` also for ids of other clients
   */
  readonly prepare: (
    clientId: string,
    source: DocumentSource,
  ) => Promise<DocumentFault | undefined>;
  /** Starts fetching the document of a client whose copy is not fresh any more. Nobody waits for it. */
  readonly refreshLater: (clientId: string) => void;
}

interface Dependencies {
  readonly dataSource: DataSource;
  readonly outbound: Outbound;
  readonly readMetadata: MetadataReader;
  /** Whether the operator allows documents of a host. */
  readonly isHostAllowed: IsHostAllowed;
  readonly limits: Pick<RegistrationLimits, 'takeCreation' | 'giveBackCreation'>;
  readonly addressLimit: AddressLimit;
  /** Fetches for unknown clients per address; 0 for no limit. */
  readonly newPerMinute: number;
  /** Deletes users' consents after a change that users would see. */
  readonly forgetConsents: (manager: EntityManager, clientId: string) => Promise<void>;
}

export function createClientDocuments(dependencies: Dependencies): ClientDocuments {
  const { dataSource, isHostAllowed } = dependencies;
  const { manager } = dataSource;
  /** Fetches in flight: one per URL. */
  const flights = new Map<string, Promise<DocumentFault | undefined>>();

  function fetchOnce(
    clientId: string,
    source: DocumentSource | undefined,
  ): Promise<DocumentFault | undefined> {
    const known = flights.get(clientId);
    if (known !== undefined) return known;
    const flight = fetchAndStore(clientId, source, dependencies).finally(() =>
      flights.delete(clientId),
    );
    flights.set(clientId, flight);
    return flight;
  }

  function admitNew(clientId: string, { address }: DocumentSource): AttemptVerdict {
    const { addressLimit, newPerMinute } = dependencies;
    if (flights.has(clientId) || newPerMinute === 0) return { isAllowed: true };
    const own = addressLimit.take('client-document', address, newPerMinute);
    return own.isAllowed
      ? addressLimit.takeFor('client-documents', 'all', MAX_NEW_PER_MINUTE)
      : own;
  }

  return {
    async prepare(clientId, source) {
      if (!isDocumentUrl(clientId)) return undefined;
      if (!isHostAllowed(withoutTrailingDot(new URL(clientId).hostname))) {
        return { fault: 'unusable', reason: 'host not allowed' };
      }
      const copy = await findCopy(manager, clientId);
      if (copy?.isFresh === true) return undefined;
      if (copy !== undefined) {
        // A slow host does not keep users of a known client waiting.
        await within(PATIENCE_MS, fetchOnce(clientId, undefined));
        return undefined;
      }
      const { isAllowed, ...wait } = { retryAfterSeconds: 0, ...admitNew(clientId, source) };
      return isAllowed ? fetchOnce(clientId, source) : { fault: 'throttled', ...wait };
    },
    refreshLater(clientId) {
      // A failure leaves the copy as it is. The next request tries again.
      if (isDocumentUrl(clientId)) fetchOnce(clientId, undefined).catch(() => undefined);
    },
  };
}

async function fetchAndStore(
  clientId: string,
  source: DocumentSource | undefined,
  dependencies: Dependencies,
): Promise<DocumentFault | undefined> {
  const answer = await dependencies.outbound.fetch({
    url: clientId,
    purpose: 'client_document',
    mediaTypes: MEDIA_TYPES,
    maxBytes: MAX_BYTES,
  });
  if (answer.outcome === 'failed') return { fault: 'unusable', reason: answer.reason };
  const metadata = readDocument(clientId, answer.body, dependencies.readMetadata);
  if (typeof metadata === 'string') return { fault: 'unusable', reason: metadata };
  const freshSeconds = freshSecondsOf(answer.headers, Date.now());
  return store({ clientId, metadata, freshSeconds }, source, dependencies);
}

async function store(
  document: FetchedDocument,
  source: DocumentSource | undefined,
  { dataSource, limits, forgetConsents }: Dependencies,
): Promise<DocumentFault | undefined> {
  const { clientId } = document;
  const known = await createClientStore(dataSource.manager).find(clientId);
  if (known !== undefined) {
    const isChanged = changedMembers(known.metadata, document.metadata).length > 0;
    if (isChanged && !(await isChangeAllowed(dataSource.manager, clientId))) {
      return { fault: 'unusable', reason: 'changed too often' };
    }
    await inTransaction(dataSource, (manager) => replaceCopy(manager, document, forgetConsents));
    return undefined;
  }
  if (source === undefined) return { fault: 'unusable', reason: 'its copy was deleted' };
  return inTransaction(dataSource, async (manager) => {
    const refusal = await limits.takeCreation(manager, source.address);
    if (refusal !== undefined) {
      const retryAfterSeconds = Number(refusal.headers['Retry-After'] ?? 1);
      return { fault: 'throttled', retryAfterSeconds };
    }
    const actor: Actor = { id: clientId, ...source };
    if (!(await insertCopy(manager, document, actor))) {
      await limits.giveBackCreation(manager, source.address);
    }
    return undefined;
  });
}

function inTransaction<Result>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<Result>,
): Promise<Result> {
  return repeatOnConflict(() => dataSource.transaction(work));
}
