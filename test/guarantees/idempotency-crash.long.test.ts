import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, TEST_SECRET_KEY, type TestApp } from '../support/app/app.js';
import type { Answer } from '../support/app/http-client.js';
import { inParallel } from '../support/app/parallel.js';
import { createServerProcesses, type ServerProcess } from '../support/process/server-process.js';
import { codeOf, until } from '../support/app/until.js';

const CRASHES = 5;
const CLIENTS = 8;
const IDENTICAL = 100;

describe('a POST with an Idempotency-Key', () => {
  const processes = createServerProcesses();
  let gatehouse: TestApp;
  let env: Record<string, string>;
  let key: string;
  let a: ServerProcess;
  let b: ServerProcess;

  beforeAll(async () => {
    gatehouse = await createTestApp();
    key = (await gatehouse.createKey(await gatehouse.createTenant('acme'))).secret;
    env = { DATABASE_URL: gatehouse.database.url, SECRET_KEYS: TEST_SECRET_KEY };
    [a, b] = await Promise.all([processes.start(env), processes.start(env)]);
  });
  afterAll(async () => {
    await processes.killAll();
    await gatehouse.close();
  });

  /** Sends the request that this name stands for, always the same. */
  function post(server: ServerProcess, name: string): Promise<Answer> {
    const body = { type: 'customer', firstName: name };
    return server.send('POST', '/api/v1/contacts', { key, body, idempotencyKey: name });
  }

  /** As a client does: again, as long as the first request seems to be running. */
  function postUntilAnswered(server: ServerProcess, name: string): Promise<Answer> {
    return until(async () => {
      const answer = await post(server, name);
      if (answer.status !== 409) return answer;
      expect(answer.json.code).toBe('conflict');
      expect(answer.headers['retry-after']).toBe('1');
      return undefined;
    });
  }

  /** Those that are not the name of exactly one contact. */
  function findNotOnce(names: readonly string[]): Promise<unknown[]> {
    return gatehouse.database.query(
      `SELECT name, count(id)::int FROM unnest($1::text[]) AS name
       LEFT JOIN contacts ON first_name = name GROUP BY name HAVING count(id) <> 1`,
      [names],
    );
  }

  it('takes effect once and gets the same answer when its server is killed meanwhile', async () => {
    const names: string[] = [];
    let lost = 0;
    let isOver = false;
    const work = async () => {
      while (!isOver) {
        const name = randomUUID();
        names.push(name);
        const first = await post(a, name).catch((error: unknown) => {
          expect(['ECONNRESET', 'ECONNREFUSED', 'EPIPE']).toContain(codeOf(error));
          return undefined;
        });
        if (first?.status !== 201) lost += 1;
        // A server that is just starting has nothing to say yet.
        expect([undefined, 201, 503]).toContain(first?.status);
        const retried = await postUntilAnswered(b, name);
        expect(retried.status).toBe(201);
        if (first?.status === 201) expect(retried.text).toBe(first.text);
        expect((await postUntilAnswered(b, name)).text).toBe(retried.text);
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, work));
    for (let crash = 0; crash < CRASHES; crash++) {
      const enough = names.length + CLIENTS + Math.floor(Math.random() * 20);
      await Promise.race([clients, until(() => names.length >= enough)]);
      await a.end('SIGKILL');
      a = await processes.start(env);
    }
    isOver = true;
    await clients;

    expect(lost).toBeGreaterThanOrEqual(CRASHES);
    expect(await findNotOnce(names)).toEqual([]);
  }, 60_000);

  it(`takes effect once when ${IDENTICAL} copies arrive at two servers at once`, async () => {
    const name = randomUUID();
    const answers: Answer[] = [];
    await inParallel(IDENTICAL, IDENTICAL, async (index) => {
      answers.push(await postUntilAnswered(index % 2 === 0 ? a : b, name));
    });
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const fresh = answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined);
    expect(fresh).toHaveLength(1);
    expect(await findNotOnce([name])).toEqual([]);
  });
});
