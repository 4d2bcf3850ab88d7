import type { Keyring } from '../credentials/keyring.js';
import type { RunPrepared } from '../db/prepared.js';

/** Authorization codes, by the digest of what only their holder has. Exchanging them is `exchange-store.ts`. */
export interface CodeStore {
  insert(
    code: string,
    payload: object,
    options: { readonly grantId: string | undefined; readonly seconds: number },
  ): Promise<void>;
}

const INSERT = {
  name: 'code-insert',
  text: `
    INSERT INTO oauth_artifacts (digest, digest_key_id, kind, payload, grant_id, expires_at)
    VALUES ($1, $2, 'AuthorizationCode', $3::jsonb, $4, gatehouse_now() + make_interval(secs => $5))`,
};

export function createCodeStore(run: RunPrepared, keyring: Keyring): CodeStore {
  return {
    async insert(code, payload, { grantId, seconds }) {
      const { digest, keyId } = keyring.digest(code);
      await run(INSERT, [digest, keyId, JSON.stringify(payload), grantId ?? null, seconds]);
    },
  };
}
