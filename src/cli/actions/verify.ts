import { Registry } from 'prom-client';

import type { App } from '../../app.js';
import {
  type Access,
  createBatchedLookup,
  createImportedPrefixes,
  createVerifier,
  createVerifierPool,
  denialReason,
  type Principal,
  type Verdict,
  VERIFICATION_QUERIES,
} from '../../credentials/index.js';
import { errorMessage } from '../../db/errors.js';
import { readText } from '../../http/body/input-lines.js';
import { parseUrl } from '../../http/url.js';
import { createLog } from '../../server/log.js';
import { createSigningKeys } from '../../signing-keys/index.js';
import type { CommandContext } from '../command.js';
import { Misuse } from '../errors.js';

const EXPLANATIONS: Readonly<Record<string, string>> = {
  malformed:
    'It is not written like a credential of ours: another brand, a typing error, or cut off.',
  unknown: 'It is well formed, but was never issued here.',
  revoked: 'It was revoked, or what it belongs to was.',
  address_not_allowed: 'It may not be used from this address.',
  expired: 'It has expired.',
  tenant_suspended: 'Its tenant is suspended.',
};

type Headers = Readonly<Record<string, string>>;

/** A request of the smoke test that is not answered by then has failed. */
const PATIENCE_MS = 5000;

/** Judges the credential on standard input, as the server's guard does. */
export async function verifyCredential(
  context: CommandContext,
  values: {
    readonly address: string | undefined;
    readonly routes: boolean;
    readonly against: string | undefined;
  },
) {
  const credential = (readText(context.input) ?? '').trim();
  const against = originOf(values.against);
  const verdict = await judge(context, credential, values.address);
  const presented = presentVerdict(verdict);
  if (!values.routes && against === undefined) return presented;
  const declared = await declaredRoutes(context);
  const routes = coverageOf(verdict, declared);
  if (against === undefined) return { ...presented, routes };
  const headers = {
    Authorization: `Bearer ${credential}`,
    ...spaceOf(verdict, `X-${context.config.TOKEN_BRAND}-Space`),
  };
  const paths = readablePaths(verdict, declared);
  return { ...presented, routes, observed: await observe(against, paths, headers) };
}

async function judge(
  { target, format, keyring, manager }: CommandContext,
  credential: string,
  address: string | undefined,
): Promise<Verdict> {
  const pool = createVerifierPool(target, () => undefined);
  try {
    const observer = { noteOldDigest: () => undefined };
    const register = new Registry();
    const lookup = createBatchedLookup({ pool, queries: VERIFICATION_QUERIES, register });
    const prefixes = createImportedPrefixes(manager, format.start);
    await prefixes.refresh();
    const verifier = createVerifier({ lookup, format, prefixes, keyring, observer });
    return await verifier.verify(credential, address);
  } finally {
    await pool.end();
  }
}

/** The routes as the server itself declares them: loaded only now, since it takes its time. */
async function declaredRoutes({
  config,
  dataSource,
  keyring,
}: CommandContext): Promise<App['apiRoutes']> {
  const { createApp } = await import('../../app.js');
  const refuse = () => Promise.reject(new Error('this is not a server'));
  return createApp({
    config,
    dataSource,
    keyring,
    register: new Registry(),
    isStopping: () => false,
    signingKeys: createSigningKeys({ dataSource, keyring }),
    log: createLog({ level: 'silent', brand: config.TOKEN_BRAND }),
    // Nothing is looked up: the routes are only read.
    lookup: { find: refuse, probe: refuse },
  }).apiRoutes;
}

function presentVerdict(verdict: Verdict) {
  const { outcome, principal } = verdict;
  return {
    outcome,
    ...(verdict.outcome === 'refused' && {
      reason: verdict.reason,
      explanation: EXPLANATIONS[verdict.reason],
    }),
    ...(principal && {
      ...(principal.token === undefined
        ? { keyId: principal.credentialId, keyName: principal.credentialName }
        : { tokenId: principal.credentialId, ...principal.token }),
      kind: principal.kind,
      tenantId: principal.tenantId,
      environment: principal.environment,
      scopes: principal.scopes,
      spaces: principal.spaces,
      bindings: principal.bindings,
      principal: { kind: principal.principalKind, id: principal.principalId },
    }),
  };
}

interface Coverage {
  readonly method: string;
  readonly path: string;
  readonly scopes: readonly string[];
  /** `admitted`, or why not. */
  readonly verdict: string;
}

/** What each declared route says to a credential. */
function coverageOf(verdict: Verdict, routes: App['apiRoutes']): readonly Coverage[] {
  return routes.flatMap(({ method, path, access }) =>
    access === undefined || access === 'public'
      ? []
      : [{ method, path, scopes: access.scopes, verdict: verdictOf(verdict, path, access) }],
  );
}

function verdictOf(verdict: Verdict, path: string, access: Exclude<Access, 'public'>): string {
  if (verdict.outcome === 'refused') return verdict.reason;
  const reason = denialReason(verdict.principal, access, undefined);
  return reason === 'not_bound' && path.includes(':id')
    ? boundTo(verdict.principal, access.resource)
    : (reason ?? 'admitted');
}

function boundTo(principal: Principal, type: string | undefined): string {
  const ids = idsBoundTo(principal, type);
  return ids.length === 0 ? 'not_bound' : `admitted for ${ids.join(', ')}`;
}

function idsBoundTo(principal: Principal | undefined, type: string | undefined): readonly string[] {
  const bindings = principal?.bindings ?? [];
  return bindings.filter((binding) => binding.type === type).map(({ id }) => id);
}

/** What only reads: all that needs no id, and the single things that a credential is bound to. */
function readablePaths({ principal }: Verdict, routes: App['apiRoutes']): readonly string[] {
  return routes.flatMap(({ method, path, access }) => {
    if (method !== 'GET' || access === undefined || access === 'public') return [];
    if (!path.includes(':')) return [`/api/v1${path}`];
    return idsBoundTo(principal, access.resource).map((id) => `/api/v1${path.replace(':id', id)}`);
  });
}

/** One that is confined to spaces is tried in one of them, as it will be used. */
function spaceOf({ principal }: Verdict, header: string): Headers {
  const [space] = principal?.spaces ?? [];
  return space === undefined ? {} : { [header]: space };
}

/** Asks a running server. */
async function observe(origin: string, paths: readonly string[], headers: Headers) {
  const observed = [];
  for (const path of paths) observed.push({ path, ...(await ask(origin + path, headers)) });
  return observed;
}

async function ask(url: string, headers: Headers): Promise<object> {
  try {
    const answer = await fetch(url, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
    return { status: answer.status, ...(code !== undefined && { code }) };
  } catch (error) {
    return { status: null, error: errorMessage(error) };
  }
}

/** @throws Misuse unless it is an http(s) address: the credential would be sent there */
function originOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = parseUrl(text);
  if (url && ['http:', 'https:'].includes(url.protocol)) return url.origin;
  throw new Misuse('--against must be an address such as https://auth.example.com.');
}
