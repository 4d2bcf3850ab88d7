import { IS_REVOKED } from '../../credentials/tables.js';
import type { Keyring } from '../../credentials/index.js';
import { expiresAroundNow } from '../../db/partitions.js';
import type { RunPrepared } from '../../db/prepared.js';
import { GRANTED_SERVERS, type RefreshRow } from '../../grants/index.js';

/** Authorization request of a device (RFC 8628 §3.1). */
export interface DeviceRequest {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
}

/** A pending request, as the user's code finds it. */
export interface PendingDevice extends DeviceRequest {
  /** Identifies the request within the store. */
  readonly digest: string;
}

/** The state of a request, as the device's poll finds it. */
export interface PolledDevice extends Omit<
  RefreshRow,
  'payload' | 'is_used' | 'was_consumed_before' | 'digest' | 'grant_id'
> {
  readonly digest: string;
  readonly payload: DeviceRequest & { readonly isDenied?: boolean };
  /** Whether its tokens were issued. */
  readonly is_consumed: boolean;
  /** Whether the last poll was less than the interval ago. */
  readonly is_early: boolean;
  /** `null` until the user has approved. */
  readonly grant_id: string | null;
}

/** Device authorizations (RFC 8628). Codes are stored as keyed digests. */
export interface DeviceStore {
  /** @param seconds the lifetime of both codes */
  insert(codes: DeviceCodes, request: DeviceRequest, seconds: number): Promise<void>;
  /** @returns `undefined` for an unknown, expired or decided code */
  findByUserCode(userCode: string): Promise<PendingDevice | undefined>;
  /** @returns whether it was undecided and not expired */
  decide(digest: string, grantId: string | null): Promise<boolean>;
  /** Finds a request by its device code, and notes the time. @param interval seconds between polls */
  poll(deviceCode: string, interval: number): Promise<PolledDevice | undefined>;
}

export interface DeviceCodes {
  readonly deviceCode: string;
  readonly userCode: string;
}

const INSERT = {
  name: 'device-insert',
  text: `
    WITH expiry AS (SELECT gatehouse_now() + make_interval(secs => $5) AS at)
    INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, expires_at)
    SELECT $1, $3, 'DeviceCode', $4::jsonb, at FROM expiry
    UNION ALL
    SELECT $2, $3, 'UserCode', jsonb_build_object('device', $1::text), at FROM expiry`,
};

const PENDING = `d.kind = 'DeviceCode' AND d.grant_id IS NULL AND NOT d.payload ? 'isDenied'
  AND d.expires_at > gatehouse_now() AND ${expiresAroundNow('oauth_artifacts', 'd')}`;

const FIND = {
  name: 'device-find',
  text: `
    SELECT d.digest, d.payload FROM oauth_artifacts u
      JOIN oauth_artifacts d ON d.digest = u.payload ->> 'device' AND d.expires_at = u.expires_at
    WHERE u.digest = ANY ($1::text[]) AND u.kind = 'UserCode' AND u.expires_at > gatehouse_now()
      AND ${expiresAroundNow('oauth_artifacts', 'u')} AND ${PENDING}`,
};

const DECIDE = {
  name: 'device-decide',
  text: `
    UPDATE oauth_artifacts d SET grant_id = $2,
      payload = CASE WHEN $2::text IS NULL THEN d.payload || '{"isDenied": true}' ELSE d.payload END
    WHERE d.digest = $1 AND ${PENDING} RETURNING 1`,
};

const POLL = {
  name: 'device-poll',
  text: `
    WITH before AS (
      SELECT d.digest, d.expires_at, d.payload -> 'polledAt' AS polled_at FROM oauth_artifacts d
      WHERE d.digest = ANY ($1::text[]) AND d.kind = 'DeviceCode' AND ${expiresAroundNow('oauth_artifacts', 'd')}
      FOR UPDATE),
    polled AS (
      UPDATE oauth_artifacts d
      SET payload = d.payload || jsonb_build_object('polledAt', extract(epoch FROM gatehouse_now()))
      FROM before WHERE d.digest = before.digest AND d.expires_at = before.expires_at
      RETURNING d.*, before.polled_at)
    SELECT s.digest, s.payload, s.consumed_at IS NOT NULL AS is_consumed,
      coalesce(extract(epoch FROM gatehouse_now()) - s.polled_at::text::numeric < $2, false) AS is_early,
      s.expires_at::text AS expires_at,
      extract(epoch FROM s.expires_at - gatehouse_now())::float8 AS remaining, s.grant_id,
      c.client_id, c.tenant_id, c.account_id, c.scopes, coalesce(${IS_REVOKED}, false) AS is_dead, m.role,
      ${GRANTED_SERVERS} AS servers,
      a.email, a.name AS account_name, a.email_verified_at IS NOT NULL AS is_email_verified,
      t.suspended_at IS NOT NULL AS is_suspended,
      extract(epoch FROM gatehouse_now() - c.created_at)::float8 AS grant_age
    FROM polled s LEFT JOIN grants c ON c.id = s.grant_id
      LEFT JOIN memberships m ON m.account_id = c.account_id AND m.tenant_id = c.tenant_id
      LEFT JOIN accounts a ON a.id = c.account_id
      LEFT JOIN tenants t ON t.id = c.tenant_id`,
};

export function createDeviceStore(run: RunPrepared, keyring: Keyring): DeviceStore {
  return {
    async insert({ deviceCode, userCode }, request, seconds) {
      const { digest, keyId } = keyring.digest(deviceCode);
      const userDigest = keyring.digest(userCodeText(userCode)).digest;
      await run(INSERT, [digest, userDigest, keyId, JSON.stringify(request), seconds]);
    },
    async findByUserCode(userCode) {
      const digests = keyring.digests(userCodeText(userCode));
      const [row] = await run<{ digest: string; payload: DeviceRequest }>(FIND, [digests]);
      return row && { ...row.payload, digest: row.digest };
    },
    async decide(digest, grantId) {
      return (await run(DECIDE, [digest, grantId])).length > 0;
    },
    async poll(deviceCode, interval) {
      const [row] = await run<PolledDevice>(POLL, [keyring.digests(deviceCode), interval]);
      return row;
    },
  };
}

/** Keeps the digests of user codes apart from those of other secrets. */
function userCodeText(code: string): string {
  return `user code ${code}`;
}
