import {
  type Coverage,
  coverageOf,
  type DescribedPrincipal,
  type DescribedVerdict,
  describePrincipal,
  describeVerdict,
  type Principal,
  readablePaths,
  type Verdict,
  type Verifier,
} from '../credentials/index.js';
import { type Environment, type CredentialQuery, reachableFrom } from '../credentials/kinds.js';
import { Problem } from '../http/errors/problem.js';
import { invalid } from '../http/validation.js';
import type { RateLimits } from '../rate-limits/index.js';
import type { ApiRoute, Observe } from './observer.js';
import type { CredentialTest } from './schema.js';

/** The person or key that tests a credential. */
export interface Tester {
  readonly tenantId: string;
  readonly environment: Environment;
  readonly spaces: readonly string[] | null;
}

/** The answer of an observed route. */
export interface Observation {
  readonly path: string;
  readonly status: number;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
}

/** A test of a credential that the tester may know. */
export interface KnownResult extends DescribedVerdict {
  readonly facts: DescribedPrincipal;
  readonly maskedKey: string | undefined;
  readonly expiresAt: string | null;
  readonly allowedIps: readonly string[] | null;
  readonly address: string;
  readonly budgets: ReturnType<RateLimits['usageOf']>;
  readonly routes: readonly Coverage[];
  readonly observed: readonly Observation[];
}

/** The result of a test. Beyond the outcome it says nothing about a credential of another organization. */
export type TestResult = KnownResult | (DescribedVerdict & { readonly facts?: undefined });

/** Tests credentials of one organization. A test is not a use: nothing is stored or counted. */
export interface CredentialTester {
  /**
   * @param address the caller's address
   * @throws Problem `not_found` for a `keyId` that the tester does not see, `validation_failed` for a path that is not
   *   a readable route
   */
  test(by: Tester, input: CredentialTest, address: string): Promise<TestResult>;
  /** The paths that can be observed without an id. */
  readonly paths: readonly string[];
}

/** A stored key, as far as a test needs it. */
interface StoredKey {
  readonly lookupQuery: CredentialQuery;
  readonly digest: string;
}

interface Dependencies {
  /** Leaves no trace of a use. */
  readonly quietVerifier: Verifier;
  readonly usageOf: RateLimits['usageOf'];
  readonly findKey: (tenantId: string, id: string) => Promise<StoredKey | undefined>;
  readonly mask: (credential: string) => string;
  readonly observe: Observe;
  readonly routes: () => readonly ApiRoute[];
}

const NOT_OURS = {
  outcome: 'refused',
  reason: 'not_of_this_organization',
  explanation: 'It is not of this organization.',
} as const;

export function createCredentialTester(dependencies: Dependencies): CredentialTester {
  const { quietVerifier, usageOf, findKey, mask, observe, routes } = dependencies;

  async function judge(by: Tester, input: CredentialTest, address: string): Promise<Verdict> {
    const { credential, keyId = '' } = input;
    if (credential !== undefined) return quietVerifier.verify(credential, address);
    const key = await findKey(by.tenantId, keyId);
    const verdict = key && (await quietVerifier.verifyStored(key.lookupQuery, key.digest, address));
    if (verdict?.principal !== undefined && isVisible(by, verdict.principal)) return verdict;
    throw new Problem('not_found', 'Key not found.');
  }

  async function observeAll(
    verdict: Verdict,
    { credential = '', observe: paths }: CredentialTest,
    address: string,
  ): Promise<readonly Observation[]> {
    assertReadable(paths, routes());
    const observed: Observation[] = [];
    for (const path of paths) {
      observed.push({ path, ...(await observe({ path, credential, address, verdict })) });
    }
    return observed;
  }

  return {
    get paths() {
      return readablePaths({ outcome: 'refused', reason: 'unknown' }, routes());
    },
    async test(by, input, callerAddress) {
      const address = input.address ?? callerAddress;
      const verdict = await judge(by, input, address);
      const { principal } = verdict;
      if (principal === undefined) {
        assertReadable(input.observe, routes());
        return described(verdict);
      }
      if (!isVisible(by, principal)) return NOT_OURS;
      return {
        ...described(verdict),
        facts: describePrincipal(principal),
        maskedKey: input.credential === undefined ? undefined : mask(input.credential),
        expiresAt:
          principal.expiresAt === null ? null : new Date(principal.expiresAt).toISOString(),
        allowedIps: principal.allowedIps,
        address,
        budgets: usageOf(principal, address),
        routes: coverageOf(verdict, routes()),
        observed: await observeAll(verdict, input, address),
      };
    },
  };
}

function described(verdict: Verdict): DescribedVerdict {
  const { outcome, reason, explanation } = describeVerdict(verdict);
  return { outcome, ...(reason !== undefined && { reason, explanation }) };
}

/** Whether a credential is of the tester's organization, and within its environment and spaces. */
function isVisible(by: Tester, { tenantId, environment, spaces }: Principal): boolean {
  return (
    tenantId === by.tenantId &&
    reachableFrom(by.environment).includes(environment) &&
    (by.spaces === null || (spaces?.every((space) => by.spaces?.includes(space)) ?? false))
  );
}

/** @throws Problem `validation_failed` for a path that no GET route has */
function assertReadable(paths: readonly string[], routes: readonly ApiRoute[]): void {
  const unknown = paths.findIndex((path) => !isReadable(path, routes));
  if (unknown === -1) return;
  const message = 'must be the path of a GET route, such as /contacts';
  throw invalid([{ field: `observe.${unknown}`, code: 'invalid_value', message }]);
}

function isReadable(path: string, routes: readonly ApiRoute[]): boolean {
  if (!/^(?:\/[\w-]+)+$/.test(path)) return false;
  const parts = path.split('/');
  return routes.some(({ method, path: pattern, access }) => {
    const wanted = pattern.split('/');
    return (
      method === 'GET' &&
      access !== 'public' &&
      wanted.length === parts.length &&
      wanted.every((part, index) => part.startsWith(':') || part === parts[index])
    );
  });
}
