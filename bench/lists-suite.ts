import { writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

import { createDatabase, urlOf, type Target } from './database.js';
import { NEVER_REACHED } from './configurations.js';
import { compare, printBound, printHeading, type Contestant } from './measure.js';
import { ME } from './oauth-fixture.js';
import { databaseCpuMicros } from './processes.js';
import { seedKeys } from './seed.js';
import { FLOOR, SERVERS, type Bench } from './suite.js';

const KEYS = 1000;
const CONTACTS = 1_000_000;
const MANY_KEYS = 1_000_000;
const SPACES = 1000;
const ENTRIES = 1_000_000;
const GATEHOUSE = 'Gatehouse, counting';

/** Pages of a tenant with a fifth of a large table of contacts, and of a tenant with many keys and a long audit log. */
export async function measureLists(bench: Bench): Promise<void> {
  await measureContacts(bench);
  await measureKeys(bench);
}

/** The newest rows of the table belong to another tenant. */
async function measureContacts(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'lists');
  const file = path.join(bench.folder, 'list-keys.txt');
  writeFileSync(file, (await seedKeys(target, { ...bench, count: KEYS })).join('\n'));
  await seedContacts(target);
  await measurePage(bench, target, {
    list: '/api/v1/contacts?limit=25',
    file,
    expected: '"lastName":"Lovelace"',
    rows: `${CONTACTS.toLocaleString('en')} contacts`,
    hasFloor: true,
  });
}

/** A page of live keys. One older test key of the tenant is among them. */
async function measureKeys(bench: Bench): Promise<void> {
  const target = await createDatabase(bench.postgres, 'many_keys');
  const file = path.join(bench.folder, 'many-keys.txt');
  const secrets = await seedKeys(target, { ...bench, count: MANY_KEYS });
  writeFileSync(file, secrets.slice(0, KEYS).join('\n'));
  await makeManagers(target);
  const rows = `${MANY_KEYS.toLocaleString('en')} keys`;
  const common = { file, rows, hasFloor: false };
  await measurePage(bench, target, {
    ...common,
    list: '/api/v1/api-keys?limit=25',
    expected: '"environment":"live"',
  });
  await measurePage(bench, target, {
    ...common,
    list: '/api/v1/api-keys?limit=25&environment=test',
    expected: '"environment":"test"',
  });
  await measurePage(bench, target, {
    ...common,
    list: '/api/v1/spaces?limit=25',
    expected: '"name":"Space',
    rows: `${SPACES.toLocaleString('en')} spaces, the most of a tenant`,
  });
  await measurePage(bench, target, {
    ...common,
    list: '/api/v1/audit-log?limit=25',
    expected: '"action":"key.create"',
    rows: `${ENTRIES.toLocaleString('en')} entries`,
  });
}

interface Page {
  readonly list: string;
  readonly file: string;
  readonly expected: string;
  /** The size of the table, for the heading. */
  readonly rows: string;
  /** Whether the floor answers the path, too. */
  readonly hasFloor: boolean;
}

async function measurePage(
  bench: Bench,
  target: Target,
  { list, file, expected, rows, hasFloor }: Page,
): Promise<void> {
  const common = {
    env: { ...bench.env, DATABASE_URL: urlOf(target), ...NEVER_REACHED },
    requests: { template: { ...ME, path: list }, file, isOneShot: false },
    expected,
    databaseCpu: () => databaseCpuMicros(bench.postgres.directory),
  };
  const gatehouse: Contestant = { ...common, name: GATEHOUSE, script: SERVERS.gatehouse };
  const floor: Contestant = { ...common, name: FLOOR, script: SERVERS.floor };
  printHeading(`GET ${list}, ${rows}`);
  const [server, database] = (
    await compare(hasFloor ? [floor, gatehouse] : [gatehouse], bench.pace)
  ).micros(GATEHOUSE);
  printBound('Server', server, 120);
  printBound('Database', database, 60);
}

/**
 * Lets all keys manage keys and spaces and read the audit log, and makes an old one, which makes no load, a test key. Adds
 * spaces, and an entry of the log for each key.
 */
async function makeManagers(target: Target): Promise<void> {
  const client = new pg.Client(target);
  await client.connect();
  await client.query(`
    UPDATE credentials SET scopes = scopes || '{api_keys:manage,spaces:manage,audit:read}'::text[],
      environment = CASE WHEN issue_seq = (SELECT issue_seq FROM credentials ORDER BY issue_seq
        OFFSET 1 LIMIT 1) THEN 'test' ELSE environment END;
    INSERT INTO spaces (id, tenant_id, name, is_default)
      SELECT 'spc_' || n || id, id, 'Space ' || n, n = 1 FROM tenants, generate_series(1, ${SPACES}) n;
    INSERT INTO audit_log (tenant_id, actor, action, subject, details, address)
      SELECT tenant_id, 'operator', 'key.create', id, '{}', '192.0.2.1' FROM credentials LIMIT ${ENTRIES};
  `);
  await client.query('VACUUM ANALYZE');
  await client.query('CHECKPOINT');
  await client.end();
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
