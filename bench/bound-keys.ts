import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import pg from 'pg';

import type { Target } from './database.js';
import { ISSUER, ME } from './oauth-fixture.js';

/** Makes lines of keys, each with a proof that is good for one request, and a tab between. */
type Prover = (keys: readonly string[], count: number) => Promise<readonly string[]>;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Binds all keys of a database to one key of their holder (RFC 9449). */
export async function bindKeys(target: Target): Promise<Prover> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  const jwk = { kty: String(kty), crv: String(crv), x: String(x), y: String(y) };
  const client = new pg.Client(target);
  await client.connect();
  await client.query('UPDATE credentials SET subjects = subjects || $1::text', [
    `jkt_${await calculateJwkThumbprint(jwk)}`,
  ]);
  await client.query('VACUUM ANALYZE');
  await client.end();
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk });

  const prove = (key: string) => {
    const payload = encode({
      jti: randomUUID(),
      htm: ME.method,
      htu: ISSUER + ME.path,
      iat: Math.floor(Date.now() / 1000),
      ath: createHash('sha256').update(key).digest('base64url'),
    });
    const text = `${header}.${payload}`;
    const signature = sign('sha256', Buffer.from(text), {
      key: privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${text}.${signature.toString('base64url')}`;
  };
  return async (keys, count) =>
    Array.from({ length: count }, (_, index) => {
      const key = keys[index % keys.length] ?? '';
      return `${key}\t${prove(key)}`;
    });
}
