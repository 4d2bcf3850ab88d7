import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Agent } from 'node:http';

import { createTestApp, type TestApp } from '../support/app.js';
import { inParallel } from '../support/parallel.js';
import { sendRaw } from '../support/raw-http.js';
import { createCallers, createStrangers, type Caller, type Callers } from './matrix/callers.js';
import {
  admissionTo,
  factsOf,
  isPresentable,
  KIND_NAMES,
  NO_PRESENTATIONS,
  PRESENTATION_NAMES,
  PRESENTATIONS,
  ROUTES,
  SUCCESS,
  type Admission,
  type Carried,
  type Environment,
  type Presentation,
} from './matrix/contract.js';
import { createTargets, OWNERS, type Owner, type Targets } from './matrix/targets.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const AT_ONCE = 40;

/** One request, and the answer that it has to have. */
interface Cell {
  readonly name: string;
  readonly method: string;
  /** As it was declared, such as `/contacts/:id`. */
  readonly path: string;
  readonly carried: Carried | readonly Carried[];
  readonly caller?: Caller;
  readonly owner?: Owner;
  readonly expected: string;
}

describe('kinds, presentations, methods, principals and environments', () => {
  let gatehouse: TestApp;
  let callers: Callers;
  let targets: Targets;
  let strangers: Readonly<Record<string, string>>;
  let agent: Agent;
  let before: unknown;
  /** The declared routes, as `GET /contacts/:id`; with HEAD beside GET. */
  let declared: ReadonlySet<string>;
  let paths: readonly string[];
  beforeAll(async () => {
    gatehouse = await createTestApp({ LOG_LEVEL: 'warn' });
    const [tenant, other] = [
      await gatehouse.createTenant('acme'),
      await gatehouse.createTenant('other'),
    ];
    agent = new Agent({ keepAlive: true });
    callers = await createCallers(gatehouse, tenant);
    targets = await createTargets(gatehouse, tenant, other);
    strangers = await createStrangers(gatehouse, tenant);
    const names = gatehouse.app.apiRoutes.map(({ method, path }) => `${method} ${path}`);
    declared = new Set(names.flatMap((name) => [name, name.replace(/^GET /, 'HEAD ')]));
    paths = [...new Set(gatehouse.app.apiRoutes.map(({ path }) => path))];
    await inParallel(OWNERS.length, 1, async (index) => {
      // What nobody may touch is there before anybody tries.
      for (const path of ['/contacts/:id', '/api-keys/:id', '/spaces/:id']) {
        for (const environment of ['live', 'test'] as const) {
          const request = { method: 'GET', path, kind: 'secret', environment } as const;
          await targets.find(request, OWNERS[index] ?? 'own');
        }
      }
    });
    before = await targets.untouchable();
  });
  afterAll(async () => {
    agent.destroy();
    await gatehouse.close();
  });

  /** What an answer comes to: status, code, challenge, and what it shows that it must not. */
  async function observe(cell: Cell): Promise<string> {
    const { method, path, caller, owner = 'own' } = cell;
    const { kind, environment } = caller ?? { kind: 'secret', environment: 'live' };
    const request = { method, path, kind, environment } as const;
    const id = path.includes(':id') ? ((await targets.find(request, owner)) ?? '1') : '';
    const carried = [cell.carried].flat();
    const body = /^P/.test(method) ? JSON.stringify(targets.bodyOf(request)) : undefined;
    const search = carried.flatMap(({ query }) => query || []);
    if (method === 'GET' && !path.includes(':')) search.push('limit=100');
    const answer = await sendRaw(gatehouse.origin, {
      ...{ method, agent, ...(body !== undefined && { body }) },
      path: `/api/v1${path.replace(':id', id)}${search.length > 0 ? `?${search.join('&')}` : ''}`,
      headers: [
        ...carried.flatMap(({ headers }) => Object.entries(headers)),
        ...(body === undefined
          ? []
          : ([
              ['Content-Type', 'application/json'],
              ['Content-Length', String(Buffer.byteLength(body))],
            ] as const)),
      ],
    });
    const { code, data } = answer.text === '' ? {} : JSON.parse(answer.text);
    const challenge = answer.headers['www-authenticate'];
    const shown = data !== undefined && caller ? misshown(path, caller, data) : '';
    return [
      ...[answer.status, code, challenge && challengeOf(challenge), shown].filter(Boolean),
    ].join(' ');
  }

  /** Every cell's answer; those that were not as expected, each in a line. */
  async function mismatches(cells: readonly Cell[]): Promise<readonly string[]> {
    const found: string[] = [];
    await inParallel(cells.length, AT_ONCE, async (index) => {
      const cell = cells[index];
      if (cell === undefined) return;
      const { name, expected } = cell;
      const seen = await observe(cell);
      if (seen !== expected) found.push(`${name}: expected ${expected}, saw ${seen}`);
    });
    return found.toSorted();
  }

  /** What the answer is to a request that presents nothing, or nothing good, or something good. */
  function answerTo(
    method: string,
    path: string,
    admit: (admission: Admission) => readonly [status: number, code: string, error?: string],
  ): string {
    const text = (code: string) => (method === 'HEAD' ? [] : [code]);
    if (!declared.has(`${method} ${path}`)) return [405, ...text('method_not_allowed')].join(' ');
    const admission = admissionTo(method, path) ?? { scopes: [], principals: [] };
    if (admission === 'public') return '200';
    const [status, code, error] = admit(admission);
    if (status < 400) return String(status);
    if (status !== 401 && status !== 403) return [status, ...text(code)].join(' ');
    const metadata = `${gatehouse.config.ISSUER}/.well-known/oauth-protected-resource/api/v1`;
    const challenge = challengeOf(
      [
        ...(error === undefined ? [] : [`error="${error}"`]),
        ...(admission.scopes.length > 0 ? [`scope="${admission.scopes.join(' ')}"`] : []),
        `resource_metadata="${metadata}"`,
      ].join(', '),
    );
    return [status, ...text(code), challenge].join(' ');
  }

  function expectedFor(
    method: string,
    path: string,
    { kind, environment, scopes }: Caller,
    by: Presentation,
    owner: Owner = 'own',
  ): string {
    return answerTo(method, path, (admission) => {
      if (!isPresentable(kind, by, method)) return [401, 'unauthorized', 'invalid_token'];
      if (!admission.principals.includes(factsOf(kind).principal)) {
        return [403, 'forbidden', 'insufficient_scope'];
      }
      if (!admission.scopes.every((scope) => scopes.includes(scope))) {
        return [403, 'scope_insufficient', 'insufficient_scope'];
      }
      return isReached(path, environment, owner) ? [SUCCESS[method] ?? 0, ''] : [404, 'not_found'];
    });
  }

  /** Those who hold all that a route needs, as far as their kind can, and those who lack just that. */
  async function callersFor(method: string, path: string): Promise<readonly Caller[]> {
    const admission = admissionTo(method, path);
    const needed = typeof admission === 'object' ? admission.scopes : [];
    const found = KIND_NAMES.flatMap((kind) => {
      const { carries, prefix } = factsOf(kind);
      const isHeld = needed.length > 0 && needed.every((scope) => carries.includes(scope));
      const held = isHeld ? needed : carries;
      const rest = carries.filter((scope) => !needed.includes(scope));
      return (Object.keys(prefix) as Environment[]).flatMap((environment) =>
        [held, rest].map((scopes) => callers.get(kind, environment, scopes)),
      );
    });
    return [...new Set(await Promise.all(found))];
  }

  const named = (method: string, path: string, who: string, by: string, more = '') =>
    `${method} ${path} by ${who} in ${by}${more}`;
  const nameOf = ({ kind, environment, scopes }: Caller) =>
    `${environment} ${kind} (${scopes.length > 2 ? `${scopes.length} scopes` : scopes.join(' ')})`;

  /** One list of cells for each method of each path, whether it answers that or not. */
  async function everywhere(
    cellsOf: (method: string, path: string) => readonly Cell[] | Promise<readonly Cell[]>,
  ): Promise<readonly Cell[]> {
    const places = paths.flatMap((path) => METHODS.map((method) => [method, path] as const));
    return (await Promise.all(places.map(([method, path]) => cellsOf(method, path)))).flat();
  }

  it('are promised of every declared route, and every promised route is declared', () => {
    const unknown = [...declared].filter((name) => {
      const [method = '', path = ''] = name.split(' ');
      return admissionTo(method, path) === undefined;
    });
    expect(unknown).toEqual([]);
    expect(ROUTES.filter((name) => !declared.has(name))).toEqual([]);
  });

  it('are told by what a credential starts with', async () => {
    const wrong: string[] = [];
    for (const kind of KIND_NAMES) {
      const { prefix, carries } = factsOf(kind);
      for (const [environment, start] of Object.entries(prefix)) {
        const { secret } = await callers.get(kind, environment as Environment, carries);
        const isRight = secret.startsWith(start) && secret.length === start.length + 49;
        if (!isRight) wrong.push(`${environment} ${kind}: ${secret.slice(0, 12)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('decide together who gets through, where, and what everybody else is told', async () => {
    const cells = await everywhere(async (method, path) =>
      (await callersFor(method, path)).flatMap((caller) =>
        PRESENTATION_NAMES.map((by) => ({
          ...{ method, path, caller, carried: PRESENTATIONS[by](caller.secret) },
          name: named(method, path, nameOf(caller), by),
          expected: expectedFor(method, path, caller, by),
        })),
      ),
    );

    expect(await mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(5000);
  }, 60_000);

  it('never let anybody at what belongs to another environment or tenant', async () => {
    const cells = await everywhere(async (method, path) =>
      (path.includes(':id') ? await callersFor(method, path) : []).flatMap((caller) =>
        OWNERS.slice(1).map((owner) => ({
          ...{ method, path, caller, owner, carried: PRESENTATIONS.Bearer(caller.secret) },
          name: named(method, path, nameOf(caller), 'Bearer', `, ${owner}`),
          expected: expectedFor(method, path, caller, 'Bearer', owner),
        })),
      ),
    );

    expect(await mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(500);
  });

  it('admit nothing that is no credential for the API, however it comes', async () => {
    const cells = await everywhere((method, path) =>
      Object.entries(strangers).flatMap(([who, secret]) =>
        PRESENTATION_NAMES.map((by) => ({
          ...{ method, path, carried: PRESENTATIONS[by](secret) },
          name: named(method, path, who, by),
          expected: answerTo(method, path, () => [401, 'unauthorized', 'invalid_token']),
        })),
      ),
    );

    expect(await mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(2000);
  }, 60_000);

  it('do not count where credentials are not presented: that is as good as none', async () => {
    const holders = await Promise.all(
      KIND_NAMES.map((kind) => callers.get(kind, 'live', factsOf(kind).carries)),
    );
    const none = [['nothing', { headers: {}, query: '' }]] as const;
    const cells = await everywhere((method, path) =>
      holders.flatMap((caller) =>
        [
          ...none,
          ...Object.entries(NO_PRESENTATIONS).map(
            ([by, carry]) => [by, carry(caller.secret)] as const,
          ),
        ].map(([by, carried]) => ({
          ...{ method, path, carried },
          name: named(method, path, nameOf(caller), by),
          expected: answerTo(method, path, () => [401, 'unauthorized']),
        })),
      ),
    );

    expect(await mismatches(cells)).toEqual([]);
  }, 60_000);

  it("go together only as a publishable key in X-API-Key beside a user's token", async () => {
    const all = await Promise.all(
      KIND_NAMES.flatMap((kind) =>
        (Object.keys(factsOf(kind).prefix) as Environment[]).map((environment) =>
          callers.get(kind, environment, factsOf(kind).carries),
        ),
      ),
    );
    const inTwoWays = PRESENTATION_NAMES.flatMap((first, index) =>
      PRESENTATION_NAMES.slice(index).map((second) => [first, second] as const),
    );
    const cells = all.flatMap((one) =>
      all.flatMap((two) =>
        inTwoWays.map(([first, second]) => ({
          ...{ method: 'GET', path: '/me', ...actingAs(one, two) },
          carried: [PRESENTATIONS[first](one.secret), PRESENTATIONS[second](two.secret)],
          name: `GET /me by ${nameOf(one)} in ${first} and ${nameOf(two)} in ${second}`,
          expected: answerToPair(one, first, two, second),
        })),
      ),
    );

    expect(await mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(2000);
  }, 60_000);

  function answerToPair(one: Caller, first: Presentation, key: Caller, second: Presentation) {
    const { principal } = factsOf(one.kind);
    const isPair =
      key.kind === 'publishable' &&
      second === 'X-API-Key' &&
      principal === 'user' &&
      ['Bearer', 'Token', 'DPoP'].includes(first);
    return answerTo('GET', '/me', () => {
      if (!isPair) return [400, 'bad_request'];
      if (first === 'DPoP') return [401, 'unauthorized', 'invalid_token'];
      // A token has no environment but by the key; a personal token has its own.
      const isBeyond =
        one.kind === 'personal' && one.environment === 'test' && key.environment === 'live';
      return isBeyond ? [403, 'forbidden', 'insufficient_scope'] : [200, ''];
    });
  }

  it('left everything alone that was not theirs', async () => {
    expect(await targets.untouchable()).toEqual(before);
  });
});

/** A live key also manages test keys, as the less; spaces are of both environments. */
function isReached(path: string, environment: Environment, owner: Owner): boolean {
  if (owner !== 'other environment') return owner === 'own';
  if (path.startsWith('/spaces')) return true;
  return path.startsWith('/api-keys') && environment === 'live';
}

/** The user whom a pair speaks for, with the key's environment. */
function actingAs(one: Caller, { environment }: Caller): { readonly caller: Caller } {
  const shown = { ...one.shown, environment };
  return { caller: { ...one, environment, shown } };
}

/** What an answer shows that it should not, or does not show that it should. */
function misshown(path: string, { kind, environment, shown }: Caller, data: unknown): string {
  if (path === '/me') {
    const seen = data as Record<string, unknown>;
    const wrong = Object.keys(shown).filter(
      (member) => JSON.stringify(seen[member]) !== JSON.stringify(shown[member]),
    );
    if (kind === 'access_token' && 'principal' in seen) wrong.push('principal');
    return wrong.map((member) => `wrong ${member}: ${JSON.stringify(seen[member])}`).join(', ');
  }
  if (!Array.isArray(data)) return '';
  const marks: Record<string, string> = { '/contacts': 'firstName', '/products': 'name' };
  const mark = marks[path] ?? (path === '/api-keys' ? 'environment' : undefined);
  if (mark === undefined || (path === '/api-keys' && environment === 'live')) return '';
  return data.length > 0 && data.every((row) => row[mark] === environment) ? '' : 'rows of others';
}

/** What a challenge says, without its realm. */
function challengeOf(header: string): string {
  const [bearer = ''] = header.split(/, (?=DPoP )/);
  const members = [...bearer.matchAll(/(error|scope|resource_metadata)="([^"]*)"/g)];
  return members.map(([text]) => text).join(' ');
}
