import { Registry } from 'prom-client';

import type { App } from '../../app.js';
import {
  coverageOf,
  createBatchedLookup,
  createImportedPrefixes,
  createVerifier,
  createVerifierPool,
  describeVerdict,
  readablePaths,
  type Verdict,
  VERIFICATION_QUERIES,
} from '../../credentials/index.js';
import { errorMessage } from '../../db/errors.js';
import { readText } from '../../http/body/input-lines.js';
import { API_PREFIX } from '../../http/route-declaration.js';
import { parseUrl } from '../../http/url.js';
import { createLog } from '../../server/log.js';
import { createSigningKeys } from '../../signing-keys/index.js';
import type { CommandContext } from '../command.js';
import { Misuse } from '../errors.js';

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
  const presented = describeVerdict(verdict);
  if (!values.routes && against === undefined) return presented;
  const declared = await declaredRoutes(context);
  const routes = coverageOf(verdict, declared);
  if (against === undefined) return { ...presented, routes };
  const headers = {
    Authorization: `Bearer ${credential}`,
    ...spaceOf(verdict, `X-${context.config.TOKEN_BRAND}-Space`),
  };
  const paths = readablePaths(verdict, declared).map((path) => API_PREFIX + path);
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
    lookup: { find: refuse, findAll: refuse, probe: refuse },
  }).apiRoutes;
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
