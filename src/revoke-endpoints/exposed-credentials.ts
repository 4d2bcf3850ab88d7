import type { EntityManager } from 'typeorm';

import { type Actor, type AuditEvent, createAuditLog } from '../audit/index.js';
import { KINDS } from '../credentials/kinds.js';
import {
  createRevocationStore,
  type Principal,
  type SecretFormat,
  type Verdict,
  type Verifier,
} from '../credentials/index.js';
import type { FindRefreshRow } from '../grants/index.js';
import type { OperatorAuthentication } from '../operator-keys/index.js';

/** A secret that was found in a public place. */
export interface ExposedSecret {
  readonly secret: string;
  /** Where it was found, as the finder says; for the audit log. */
  readonly url?: string | undefined;
}

/** Ends credentials whose secrets were found. Possession of a secret is enough. */
export interface ExposedCredentials {
  /**
   * Ends every credential that one of the secrets belongs to: keys, personal tokens, operator keys, access tokens, and refresh tokens
   * with their grant. Publishable keys are public and stay. A credential that was revoked before leaves no trace.
   *
   * @param finder the address and request of the finder
   * @param source `holder`, or the service that found them
   * @returns for each secret whether a credential has it, or had it
   */
  end(
    secrets: readonly ExposedSecret[],
    finder: Omit<Actor, 'id'>,
    source: string,
  ): Promise<readonly boolean[]>;
}

interface Dependencies {
  readonly verifier: Verifier;
  readonly format: SecretFormat;
  readonly findRefreshRow: FindRefreshRow;
  readonly operators: OperatorAuthentication;
  readonly transaction: <Result>(
    work: (manager: EntityManager) => Promise<Result>,
  ) => Promise<Result>;
}

/** A credential or grant that a secret belongs to. */
interface Target {
  readonly subject: string;
  /** `null` for a key of the operator's. */
  readonly tenantId: string | null;
  readonly details: object;
  /** Whether it has to be ended. */
  readonly isAlive: boolean;
}

export function createExposedCredentials(dependencies: Dependencies): ExposedCredentials {
  const { verifier, format, findRefreshRow, operators, transaction } = dependencies;

  async function find(secret: string): Promise<Target | undefined> {
    if (format.read('rt', secret) !== undefined) {
      const row = await findRefreshRow(secret, performance.now());
      return (
        row && {
          subject: row.grant_id,
          tenantId: row.tenant_id,
          details: { kind: 'refresh_token', clientId: row.client_id },
          isAlive: !row.is_dead,
        }
      );
    }
    if (operators.isWritten(secret)) return findOperatorKey(operators, secret);
    const verdict = await verifier.verify(secret, undefined);
    const { principal } = verdict;
    if (principal === undefined) return undefined;
    return targetOf(verdict, principal);
  }

  async function endAll(
    targets: ReadonlyMap<string, Target & { readonly url?: string | undefined }>,
    finder: Omit<Actor, 'id'>,
    source: string,
  ): Promise<void> {
    const actor = { ...finder, id: source };
    await transaction(async (manager) => {
      const revocations = createRevocationStore(manager);
      // Under these locks, reports of the same secret at the same time leave one trace.
      await revocations.drawIssueOrder([], [...targets.keys()]);
      const ended = await endedAmong(manager, [...targets.keys()]);
      const events: AuditEvent[] = [];
      for (const [subject, { tenantId, details, url }] of targets) {
        if (ended.has(subject)) continue;
        const told = { ...details, ...(url !== undefined && { url }) };
        events.push({ tenantId, action: 'key.exposed', subject, details: told });
      }
      const subjects = events.map(({ subject }) => subject);
      await revocations.revokeAll(subjects, source, 'its secret was exposed');
      await createAuditLog(manager).recordAll(actor, events);
    });
  }

  return {
    async end(secrets, finder, source) {
      const found = await Promise.all(secrets.map(({ secret }) => find(secret)));
      const targets = new Map<string, Target & { readonly url?: string | undefined }>();
      for (const [index, target] of found.entries()) {
        if (target?.isAlive !== true) continue;
        targets.set(target.subject, { ...target, url: secrets[index]?.url });
      }
      if (targets.size > 0) await endAll(targets, finder, source);
      return found.map((target) => target !== undefined);
    },
  };
}

function targetOf(verdict: Verdict, principal: Principal): Target {
  const { kind, credentialId, credentialName: name, tenantId, token } = principal;
  const isRevoked = verdict.outcome === 'refused' && verdict.reason === 'revoked';
  return {
    subject: credentialId,
    tenantId,
    details: token === undefined ? { kind, name } : { kind, clientId: token.clientId },
    isAlive: !isRevoked && !KINDS[kind].isReadable,
  };
}

async function findOperatorKey(
  operators: OperatorAuthentication,
  secret: string,
): Promise<Target | undefined> {
  const verdict = await operators.authenticate(secret, undefined);
  const isAccepted = verdict.outcome === 'accepted';
  const subject = isAccepted ? verdict.operator.id : verdict.keyId;
  if (subject === undefined) return undefined;
  const isAlive = isAccepted || verdict.reason !== 'revoked';
  return { subject, tenantId: null, details: { kind: 'operator' }, isAlive };
}

/** The subjects that are revoked themselves. */
async function endedAmong(
  manager: EntityManager,
  subjects: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await manager.query<{ subject: string }[]>(
    'SELECT subject FROM revocations WHERE subject = ANY ($1::text[])',
    [subjects],
  );
  return new Set(rows.map(({ subject }) => subject));
}
