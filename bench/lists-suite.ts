import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

import { createDatabase, urlOf, type Target } from './database.js';
import { NEVER_REACHED } from './keys-suite.js';
import { compare, printBound, printHeading, type Contestant } from './measure.js';
import { ME } from './oauth-fixture.js';
import { databaseCpuMicros } from './processes.js';
import { seedKeys } from './seed.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

const KEYS = 1000;
const CONTACTS = 1_000_000;
const GATEHOUSE = 'Gatehouse, counting';

/** A page of contacts, for a tenant with a fifth of a large table whose newest rows belong to others. */
export async function measureLists(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'lists');
  const file = path.join(bench.folder, 'list-keys.txt');
  writeFileSync(file, (await seedKeys(target, { ...bench, count: KEYS })).join('\n'));
  await seedContacts(target);
  const common = {
    env: { ...bench.env, DATABASE_URL: urlOf(target), ...NEVER_REACHED },
    requests: {
      template: { ...ME, path: '/api/v1/contacts?limit=25' },
      file,
      isOneShot: false,
    },
    expected: '"lastName":"Lovelace"',
    databaseCpu: () => databaseCpuMicros(bench.postgres.directory),
  };
  const contestants: Contestant[] = [
    { ...common, name: FLOOR, script: SERVERS.floor },
    { ...common, name: GATEHOUSE, script: SERVERS.gatehouse },
  ];
  printHeading(`GET /api/v1/contacts?limit=25, ${CONTACTS.toLocaleString('en')} contacts`);
  const [server, database] = (await compare(contestants, bench.pace)).micros(GATEHOUSE);
  printBound('Server', server, 120);
  printBound('Database', database, 60);
}

async function seedContacts(target: Target): Promise<void> {
  const client = new pg.Client(target);
  await client.connect();
  await client.query(`
    INSERT INTO tenants (id, slug, name) VALUES ('tnt_other', 'other', 'Other');
    INSERT INTO spaces (id, tenant_id, name, is_default)
      SELECT 'spc_' || id, id, 'Default', true FROM tenants;
    INSERT INTO contacts (tenant_id, environment, space_id, first_name, last_name, email, type,
        created_at)
      SELECT t.id, 'live', 'spc_' || t.id, 'Ada', 'Lovelace', 'ada' || n || '@example.com',
        'customer', gatehouse_now() - interval '1 second' * (${CONTACTS} - n)
      FROM generate_series(1, ${CONTACTS}) n
      JOIN tenants t ON (t.id = 'tnt_other') = (n > ${CONTACTS / 5});
  `);
  await client.query('VACUUM ANALYZE');
  await client.query('CHECKPOINT');
  await client.end();
}
