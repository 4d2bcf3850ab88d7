import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { createTestApp, type TestApp } from '../support/app/app.js';
import {
  answerToCaller,
  answerToNobody,
  answerToOtherMethod,
  answerToPair,
  answerToStranger,
} from './matrix/answers.js';
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
  type Environment,
  type Kind,
} from './matrix/contract.js';
import { createObserver, type Cell, type Observer } from './matrix/observe.js';
import { createTargets, OWNERS, type Targets } from './matrix/targets.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Every combination of them at every route that is declared, compared with what the API promises. */
/** Without the path that judges no caller, and admits by address: `test/revoke-endpoints/exposed.test.ts` is about it. */
const judgingRoutes = ({ app }: TestApp) =>
  app.apiRoutes.filter(({ path }) => path !== '/credentials/revoke');

describe('kinds, presentations, methods, principals and environments', () => {
  let gatehouse: TestApp;
  let callers: Callers;
  let targets: Targets;
  let observer: Observer;
  let strangers: Readonly<Record<string, string>>;
  let untouched: unknown;
  /** Declared routes, as `GET /contacts/:id`; with HEAD beside GET. */
  let declared: ReadonlySet<string>;
  beforeAll(async () => {
    gatehouse = await createTestApp({ LOG_LEVEL: 'warn' });
    const tenant = await gatehouse.createTenant('acme');
    callers = await createCallers(gatehouse, tenant);
    strangers = await createStrangers(gatehouse, tenant);
    targets = await createTargets(gatehouse, tenant, await gatehouse.createTenant('other'));
    observer = createObserver(gatehouse.origin, targets);
    untouched = await targets.untouchable();
    const names = judgingRoutes(gatehouse).map(({ method, path }) => `${method} ${path}`);
    declared = new Set(names.flatMap((name) => [name, name.replace(/^GET /, 'HEAD ')]));
  });
  afterAll(async () => {
    observer.close();
    await gatehouse.close();
  });

  type CellsOf = (method: string, path: string) => readonly Cell[] | Promise<readonly Cell[]>;

  /** The cells of each method that a path answers; or of each that it does not. */
  async function everywhere(cellsOf: CellsOf, isAnswered = true): Promise<readonly Cell[]> {
    const paths = new Set(judgingRoutes(gatehouse).map(({ path }) => path));
    const routes = [...paths]
      .flatMap((path) => METHODS.map((method) => [method, path] as const))
      .filter(([method, path]) => declared.has(`${method} ${path}`) === isAnswered);
    return (await Promise.all(routes.map(async ([method, path]) => cellsOf(method, path)))).flat();
  }

  /** Those who hold all that a route needs, as far as their kind can, and those who lack just that. */
  async function callersFor(method: string, path: string): Promise<readonly Caller[]> {
    const admission = admissionTo(method, path);
    const needed = typeof admission === 'object' ? admission.scopes : [];
    const found = KIND_NAMES.flatMap((kind) => {
      const { carries } = factsOf(kind);
      const isHeld = needed.length > 0 && needed.every((scope) => carries.includes(scope));
      const rest = carries.filter((scope) => !needed.includes(scope));
      return environmentsOf(kind).flatMap((environment) =>
        [isHeld ? needed : carries, rest].map((scopes) => callers.get(kind, environment, scopes)),
      );
    });
    return [...new Set(await Promise.all(found))];
  }

  /** One of each kind in each of these environments that it is of, with all that it can hold. */
  const holdersIn = (...environments: readonly Environment[]) =>
    Promise.all(
      KIND_NAMES.flatMap((kind) =>
        environmentsOf(kind)
          .filter((environment) => environments.includes(environment))
          .map((environment) => callers.get(kind, environment, factsOf(kind).carries)),
      ),
    );

  it('have an expected answer for exactly the declared routes', () => {
    const unsettled = [...declared].filter((name) => {
      const [method = '', path = ''] = name.split(' ');
      return admissionTo(method, path) === undefined;
    });

    expect(unsettled).toEqual([]);
    expect(ROUTES.filter((name) => !declared.has(name))).toEqual([]);
  });

  it('show in the prefix of a credential', async () => {
    const wrong = (await holdersIn('live', 'test')).filter(({ kind, environment, secret }) => {
      const start = factsOf(kind).prefix[environment] ?? '';
      return !secret.startsWith(start) || secret.length !== start.length + 49;
    });

    expect(wrong.map(({ secret, ...caller }) => [secret.slice(0, 13), nameOf(caller)])).toEqual([]);
  });

  it('decide together about admission and the answer to a refusal', async () => {
    const cells = await everywhere(async (method, path) =>
      (await callersFor(method, path)).flatMap((caller) =>
        presentationsFor(caller, method, path).map((by) => ({
          method,
          path,
          caller,
          carried: PRESENTATIONS[by](caller.secret),
          name: `${method} ${path} by ${nameOf(caller)} in ${by}`,
          expected: answerToCaller(method, path, caller, by),
        })),
      ),
    );

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(3000);
  }, 120_000);

  it('never reach another environment or tenant', async () => {
    const cells = await everywhere(async (method, path) =>
      (path.includes(':id') ? await callersFor(method, path) : []).flatMap((caller) =>
        OWNERS.slice(1).map((owner) => ({
          method,
          path,
          caller,
          owner,
          carried: PRESENTATIONS.Bearer(caller.secret),
          name: `${method} ${path}, ${owner}, by ${nameOf(caller)}`,
          expected: answerToCaller(method, path, caller, 'Bearer', owner),
        })),
      ),
    );

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(500);
  }, 120_000);

  it('answer 405 for undeclared methods', async () => {
    const holders = await holdersIn('live');
    const cellsOf: CellsOf = (method, path) =>
      holders.flatMap((caller) =>
        (['Bearer', '?auth_token='] as const).map((by) => ({
          method,
          path,
          carried: PRESENTATIONS[by](caller.secret),
          name: `${method} ${path} by ${nameOf(caller)} in ${by}`,
          expected: answerToOtherMethod(method),
        })),
      );
    const cells = await everywhere(cellsOf, false);

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(500);
  }, 120_000);

  it('refuse text that is not a credential of the API in every presentation', async () => {
    const cells = await everywhere((method, path) =>
      Object.entries(strangers).flatMap(([who, secret]) =>
        PRESENTATION_NAMES.map((by) => ({
          method,
          path,
          carried: PRESENTATIONS[by](secret),
          name: `${method} ${path} by ${who} in ${by}`,
          expected: answerToStranger(method, path),
        })),
      ),
    );

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(1000);
  }, 120_000);

  it('ignore credentials in places that are not presentations', async () => {
    // Which of the kinds makes no difference where none is looked for.
    const holders = await Promise.all(
      (['secret', 'publishable', 'access_token'] as const).map((kind) =>
        callers.get(kind, 'live', factsOf(kind).carries),
      ),
    );
    const ways = Object.entries(NO_PRESENTATIONS);
    const cells = await everywhere((method, path) =>
      holders.flatMap((caller) =>
        ways.map(([by, carry]) => ({
          method,
          path,
          carried: carry(caller.secret),
          name: `${method} ${path} by ${nameOf(caller)} in ${by}`,
          expected: answerToNobody(method, path, by.startsWith('?')),
        })),
      ),
    );

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(500);
  }, 120_000);

  it("combine only as a publishable key in X-API-Key beside a user's token", async () => {
    const holders = (await holdersIn('live', 'test')).filter(
      ({ kind, environment }) =>
        environment === 'live' || kind === 'publishable' || kind === 'personal',
    );
    const ways = PRESENTATION_NAMES.flatMap((first, index) =>
      PRESENTATION_NAMES.slice(index).map((second) => [first, second] as const),
    );
    const cells = holders.flatMap((one) =>
      holders.flatMap((two) =>
        ways.map(([first, second]) => ({
          method: 'GET',
          path: '/me',
          caller: actingBeside(one, two),
          carried: [PRESENTATIONS[first](one.secret), PRESENTATIONS[second](two.secret)],
          name: `GET /me by ${nameOf(one)} in ${first} beside ${nameOf(two)} in ${second}`,
          expected: answerToPair(one, first, two, second),
        })),
      ),
    );

    expect(await observer.mismatches(cells)).toEqual([]);
    expect(cells.length).toBeGreaterThan(1500);
  }, 120_000);

  it('changed nothing of others', async () => {
    expect(await targets.untouchable()).toEqual(untouched);
  });
});

/**
 * All presentations for one who holds what the route needs. Those who lack it are refused in presentations of other kinds
 * before anybody looks at their scopes, so they use those of their own kind.
 */
function presentationsFor({ kind, scopes }: Caller, method: string, path: string) {
  const admission = admissionTo(method, path);
  const needed = typeof admission === 'object' ? admission.scopes : [];
  const isHolder = needed.every((scope) => scopes.includes(scope));
  return PRESENTATION_NAMES.filter((by) => isHolder || isPresentable(kind, by, method));
}

const environmentsOf = (kind: Kind) => Object.keys(factsOf(kind).prefix) as Environment[];

function nameOf({ kind, environment, scopes }: Omit<Caller, 'secret'>): string {
  return `${environment} ${kind} (${scopes.length > 2 ? `${scopes.length} scopes` : scopes.join(' ')})`;
}

/** A user with a publishable key beside: the same, in the key's environment. */
function actingBeside(user: Caller, { environment }: Caller): Caller {
  return { ...user, environment, shown: { ...user.shown, environment } };
}
