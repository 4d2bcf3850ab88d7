import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Registry } from 'prom-client';
import type { DataSource } from 'typeorm';

import { createKeyring } from '../../src/credentials/secrets/keyring.js';
import { createActivityRecorder } from '../../src/credentials/store/activity.js';
import { createLastUse, CREDENTIAL_USES } from '../../src/credentials/store/last-use.js';
import { createUsageCounts } from '../../src/credentials/store/usage-counts.js';
import { createBackgroundWork } from '../../src/db/background-work.js';
import { createClientAddress } from '../../src/http/client-address.js';
import { createListMatcher } from '../../src/http/networks.js';
import { createAddressLimit } from '../../src/rate-limits/address-limit.js';
import { createRateBuckets } from '../../src/rate-limits/buckets.js';
import { createLog } from '../../src/server/log.js';

const COUNT = 1000;
const LONG_BYTES = 16_384;
/** A tenth of the long texts. */
const MAX_KEPT_BYTES = (COUNT * LONG_BYTES) / 10;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** An id cut from a long text, as facts of a credential come from the database. */
function cutId(n: number): string {
  const id = `key_${String(n).padStart(26, '0')}`;
  const row = Buffer.from(`${id} tnt_${id} ${'x'.repeat(LONG_BYTES)}`).toString();
  return row.split(' ')[0] ?? '';
}

function cutTenant(n: number): string {
  const row = Buffer.from(`tnt_${String(n).padStart(26, '0')} ${'x'.repeat(LONG_BYTES)}`);
  return row.toString().split(' ')[0] ?? '';
}

/** The memory that remains after all calls. */
function keptBy(call: (n: number) => void, count = COUNT): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < count; n += 1) call(n);
  collect();
  return process.memoryUsage().heapUsed - before;
}

const NO_DATABASE = {} as DataSource;

describe('memory that outlives a request', () => {
  it('holds the id of a used credential without its row', () => {
    const uses = createLastUse(NO_DATABASE, CREDENTIAL_USES);
    expect(keptBy((n) => uses.note(cutId(n), '192.0.2.1'))).toBeLessThan(MAX_KEPT_BYTES);
    expect(uses.pending()).toBe(COUNT);
  });

  it('holds the ids of counted answers without their rows', () => {
    const counts = createUsageCounts(NO_DATABASE);
    const note = (n: number) => {
      const ids = { credentialId: cutId(n), tenantId: cutTenant(n), environment: 'live' } as const;
      counts.note({ ...ids, token: undefined, exchanged: undefined }, 200);
    };
    expect(keptBy(note)).toBeLessThan(MAX_KEPT_BYTES);
    expect(counts.pending()).toBe(2 * COUNT);
  });

  it('holds the names of budgets and limits without the texts they were cut from', () => {
    const buckets = createRateBuckets(3600);
    const limit = createAddressLimit(() => 1_800_000_000_000);
    const take = (n: number) => {
      buckets.open(cutId(n), 1_800_000_000_000);
      limit.takeFor('refresh', cutId(n), 60);
    };
    expect(keptBy(take)).toBeLessThan(MAX_KEPT_BYTES);
    expect(buckets.size()).toBe(COUNT);
  });

  it('holds refusals and moved digests without the rows of their credentials', () => {
    const registry = new Registry();
    const recorder = createActivityRecorder({
      dataSource: NO_DATABASE,
      keyring: createKeyring(['a secret key that only this test uses']),
      log: createLog({ level: 'silent', brand: 'bwp' }),
      work: createBackgroundWork(registry),
    });
    const refuse = (n: number) => {
      const principal = { credentialId: cutId(n), tenantId: cutTenant(n) };
      recorder.noteRefusal(principal, 'revoked', '192.0.2.1');
      recorder.noteOldDigest(cutId(n), `secret ${n}`);
    };
    expect(keptBy(refuse)).toBeLessThan(MAX_KEPT_BYTES);
  });

  it('holds allow-lists without the rows they were cut from', () => {
    const isInList = createListMatcher();
    const cutList = (n: number) =>
      Buffer.from(
        `198.51.100.${n % 256}/32 203.0.113.${Math.floor(n / 256)}|${'x'.repeat(LONG_BYTES)}`,
      )
        .toString()
        .split('|')[0] ?? '';
    expect(keptBy((n) => isInList('192.0.2.1', cutList(n)))).toBeLessThan(MAX_KEPT_BYTES);
  });

  it('takes at most 700 bytes for each key that is used', () => {
    const count = 20_000;
    const uses = createLastUse(NO_DATABASE, CREDENTIAL_USES);
    const counts = createUsageCounts(NO_DATABASE);
    const buckets = createRateBuckets(60);
    const use = (n: number) => {
      const credentialId = `key_${String(n).padStart(26, '0')}`;
      const ids = { credentialId, tenantId: 'tnt_1', environment: 'live' } as const;
      buckets.add(buckets.open(credentialId, 1_800_000_000_000), 1);
      uses.note(credentialId, '192.0.2.1');
      counts.note({ ...ids, token: undefined, exchanged: undefined }, 200);
    };
    expect(keptBy(use, count) / count).toBeLessThan(700);
    expect([buckets.size(), uses.pending(), counts.pending()]).toEqual([count, count, count + 1]);
  });

  it('finds a count whose name holds a lone surrogate', () => {
    const limit = createAddressLimit(() => 1_800_000_000_000);
    const take = () => limit.takeFor('sign-in', `${'a'.repeat(20)}\ud800`, 1).isAllowed;
    expect([take(), take()]).toEqual([true, false]);
  });

  it('holds the address of a last use without the X-Forwarded-For header', () => {
    const addressOf = createClientAddress(['127.0.0.1']);
    const uses = createLastUse(NO_DATABASE, CREDENTIAL_USES);
    const use = (n: number) => {
      const forged = Buffer.from('x'.repeat(LONG_BYTES)).toString();
      const header = Buffer.from(
        `${forged}, 198.100.${100 + Math.floor(n / 100)}.${100 + (n % 100)}`,
      );
      const request = {
        socket: { remoteAddress: '127.0.0.1' },
        headers: { 'x-forwarded-for': header.toString() },
      };
      uses.note(`key_${n}`, addressOf(request as unknown as IncomingMessage));
    };
    expect(keptBy(use)).toBeLessThan(MAX_KEPT_BYTES);
  });
});
