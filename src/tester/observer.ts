import type { Middleware } from 'koa';

import type { Credentials, GuardedRoute, GuardedState, Verdict } from '../credentials/index.js';
import { createInnerServer } from '../http/inner-request.js';
import { Problem } from '../http/errors/problem.js';
import { createRouter } from '../http/router.js';
import { API_PREFIX } from '../http/route-declaration.js';
import { createQueryCheck } from '../http/query.js';

export type ApiRoute = GuardedRoute;

/** Asks a route of the API as the holder of a credential would. */
export type Observe = (request: {
  readonly path: string;
  readonly credential: string;
  readonly address: string;
  readonly verdict: Verdict;
}) => Promise<{
  readonly status: number;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
}>;

interface Dependencies {
  readonly quietGuard: Credentials['quietGuard'];
  readonly routes: () => readonly ApiRoute[];
  /** Makes ids and turns errors into answers. Counts nothing. */
  readonly requests: Middleware;
  readonly reader: Middleware;
  /** The header that names a space. */
  readonly spaceHeader: string;
}

/** Observed requests at a time. Each uses a connection of the pool while the test holds another. */
const MAX_AT_ONCE = 2;

/** Handlers answer without a connection, behind a guard that notes nothing, and without rate limits. */
export function createObserver({
  quietGuard,
  routes,
  requests,
  reader,
  spaceHeader,
}: Dependencies): Observe {
  let server: ReturnType<typeof createInnerServer> | undefined;
  let atOnce = 0;

  function open() {
    const router = createRouter();
    const readable = routes().filter(
      ({ method, access }) => method === 'GET' && access !== 'public',
    );
    return createInnerServer([
      requests,
      router.find as Middleware,
      router.mount(API_PREFIX, readable, (route) => [
        quietGuard(route.access),
        createQueryCheck([]),
        reader as Middleware<GuardedState>,
      ]) as Middleware,
    ]);
  }

  return async ({ path, credential, address, verdict: { principal } }) => {
    if (atOnce >= MAX_AT_ONCE) {
      throw new Problem('rate_limited', 'Other credentials are being tested. Try again.', {
        headers: { 'Retry-After': '1' },
      });
    }
    atOnce += 1;
    try {
      server ??= open();
      const [space] = principal?.spaces ?? [];
      const { status, requestId, body } = await server({
        url: API_PREFIX + path,
        address,
        headers: {
          ...headerFor(credential),
          ...(space !== undefined && { [spaceHeader]: space }),
        },
      });
      return { status, requestId, code: codeOf(status, body) };
    } finally {
      atOnce -= 1;
    }
  };
}

const headerFor = (credential: string) => ({ Authorization: `Bearer ${credential}` });

function codeOf(status: number, body: unknown): string | undefined {
  if (status < 400 || typeof body !== 'string') return undefined;
  return (JSON.parse(body) as { code?: string }).code;
}
