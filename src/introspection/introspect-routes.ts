import type { Middleware } from 'koa';
import { z } from 'zod';

import {
  type GuardedState,
  keyIdOf,
  type Presentations,
  type Principal,
  type Verdict,
  type Verifier,
} from '../credentials/index.js';
import type { ClientAuthentication } from '../clients/index.js';
import type { ServerAuthentication } from '../resource-servers/index.js';
import { ENVIRONMENTS, PRINCIPAL_KINDS } from '../credentials/kinds.js';
import { isId } from '../db/id.js';
import type { RefreshTokens } from '../grants/index.js';
import { answerJson } from '../http/answer-headers.js';
import {
  clientRefused,
  readClientCredentials,
  type ClientCredentials,
} from '../http/client-credentials.js';
import type { RequestState, RouteContext } from '../http/context.js';
import { readForm, refuseRepeated, singleValue, type Form } from '../http/body/form.js';
import { isAddress } from '../http/networks.js';
import { OAUTH_ERRORS } from '../http/errors/oauth-error-schema.js';
import { OAuthError } from '../http/errors/oauth-error.js';
import { Problem } from '../http/errors/problem.js';
import type { Route } from '../http/routes.js';

/** The facts of an active credential (RFC 7662 §2.2). Members without a value are left out. */
const introspection = z.union([
  z.strictObject({ active: z.literal(false) }),
  z.strictObject({
    active: z.literal(true),
    scope: z.string().optional(),
    client_id: z.string().optional(),
    key_id: z.string().optional(),
    sub: z.string(),
    tenant_id: z.string(),
    environment: z.enum(ENVIRONMENTS),
    spaces: z.array(z.string()).optional(),
    bindings: z.array(z.strictObject({ type: z.string(), id: z.string() })).optional(),
    allowed_ips: z.array(z.string()).optional(),
    principal: z.strictObject({ kind: z.enum(PRINCIPAL_KINDS), id: z.string() }),
    role: z.string().optional(),
    aud: z.string().optional(),
    token_type: z.enum(['Bearer', 'DPoP']).optional(),
    cnf: z.strictObject({ jkt: z.string() }).optional(),
    exp: z.int().optional(),
    iat: z.int().optional(),
    iss: z.string(),
  }),
]);

interface Dependencies {
  readonly issuer: string;
  readonly path: string;
  readonly verifier: Verifier;
  readonly refreshTokens: RefreshTokens;
  readonly clients: ClientAuthentication;
  readonly presentations: Presentations;
  readonly servers: ServerAuthentication;
  /** Admits service credentials with the scope `introspect`. */
  readonly guard: Middleware<GuardedState>;
}

type IntrospectContext = RouteContext<RequestState>;

/** A parsed request. */
interface Question {
  readonly token: string;
  /** The address that presented the credential, as the caller reports it. */
  readonly address: string | undefined;
}

/** The response for a token that is invalid, unknown, or not visible to the caller (RFC 7662 §2.2). */
const INACTIVE = { active: false };

/**
 * Token introspection (RFC 7662). A confidential client sees the tokens issued to it. A service credential with the scope
 * `introspect` sees the keys and tokens of its tenant. A resource server sees what is meant for it, of all tenants.
 */
export function createIntrospectRoutes(dependencies: Dependencies): Route<'public'>[] {
  return [
    {
      method: 'POST',
      path: dependencies.path,
      summary: 'Describe a token or key',
      access: 'public',
      answers: { ...OAUTH_ERRORS, 200: introspection },
      async handle(ctx) {
        ctx.state.isRead = true;
        const form = await readForm(ctx);
        refuseRepeated(form);
        const answer = await answerTo(dependencies, ctx, form);
        answerJson(ctx, JSON.stringify(answer));
      },
    },
  ];
}

/** @param see the principal as the caller may see it; `undefined` if it may not */
async function introspect(
  { issuer }: Pick<Dependencies, 'issuer'>,
  looked: Promise<Verdict>,
  { address }: Question,
  see: (principal: Principal) => Principal | undefined,
): Promise<object> {
  const verdict = await looked;
  const seen = verdict.outcome === 'accepted' ? see(verdict.principal) : undefined;
  if (seen === undefined) return INACTIVE;
  const allowedIps = address === undefined ? seen.allowedIps : null;
  // `token_type_hint` (§2.1) is ignored: the prefix names the kind.
  return describe(seen, issuer, allowedIps);
}

/**
 * Looks the token up before the caller is authenticated, so that one batch finds both. Nothing of it is answered to a
 * caller that is refused.
 */
function beginLookup({ verifier }: Pick<Dependencies, 'verifier'>, form: Form): Promise<Verdict> {
  const looked = verifier.verify(form.get('token') ?? '', form.get('address') ?? undefined);
  looked.catch(() => undefined);
  return looked;
}

async function introspectAsClient(
  dependencies: Dependencies,
  ctx: IntrospectContext,
  form: Form,
): Promise<object> {
  const { issuer, clients, refreshTokens } = dependencies;
  const looked = beginLookup(dependencies, form);
  const client = await clients.authenticate(ctx, form);
  if (!client.isConfidential) {
    throw new OAuthError(401, 'invalid_client', 'public clients cannot introspect');
  }
  const question = readQuestion(form);
  const refreshToken = await refreshTokens.find(client.id, question.token);
  if (refreshToken === undefined) {
    return introspect(dependencies, looked, question, (principal) =>
      principal.token?.clientId === client.id ? principal : undefined,
    );
  }
  const { isActive, ...facts } = refreshToken;
  return isActive ? withoutEmpty({ active: true, ...facts, iss: issuer }) : INACTIVE;
}

/** @param claimed the key that the caller claims to be; `undefined` if it only presents one */
async function introspectAsService(
  dependencies: Dependencies,
  ctx: IntrospectContext,
  form: Form,
  claimed?: Pick<ClientCredentials, 'id' | 'by'>,
): Promise<object> {
  const { guard } = dependencies;
  const looked = beginLookup(dependencies, form);
  let answer: object = INACTIVE;
  await guard(ctx as unknown as Parameters<typeof guard>[0], async () => {
    const { tenantId, credentialId } = (ctx.state as GuardedState).principal;
    if (claimed !== undefined && claimed.id !== credentialId) {
      throw clientRefused(claimed.by, 'client_id is not the id of the key');
    }
    const question = readQuestion(form);
    answer = await introspect(dependencies, looked, question, (principal) =>
      principal.tenantId === tenantId ? principal : undefined,
    );
  });
  return answer;
}

/**
 * @param id the id of the server that the caller claims to be; `undefined` if it only presents a credential
 * @returns `undefined` for an invalid credential
 */
async function introspectAsServer(
  dependencies: Dependencies,
  form: Form,
  secret: string,
  id?: string,
): Promise<object | undefined> {
  const { servers } = dependencies;
  const question = readQuestion(form);
  const looked = beginLookup(dependencies, form);
  const server = await servers.authenticate(secret);
  if (server === undefined || (id !== undefined && id !== server.id)) return undefined;
  return introspect(dependencies, looked, question, (principal) => server.see(principal));
}

/** The key as a client: its id is the `client_id`, and the key the secret. */
async function introspectByKey(
  dependencies: Dependencies,
  ctx: IntrospectContext,
  form: Form,
  { id, secret, by }: ClientCredentials & { readonly id: string },
): Promise<object> {
  (ctx.state as GuardedState).presented = { raw: secret ?? '', by: 'bearer' };
  try {
    return await introspectAsService(dependencies, ctx, form, { id, by });
  } catch (error) {
    throw error instanceof Problem && error.status === 401
      ? clientRefused(by, 'the key is not valid')
      : error;
  }
}

async function answerTo(
  dependencies: Dependencies,
  ctx: IntrospectContext,
  form: Form,
): Promise<object> {
  const { presentations, servers } = dependencies;
  const presented = presentations.find(ctx.req, '');
  if (presented !== undefined) {
    if (form.has('client_secret')) {
      throw new OAuthError(400, 'invalid_request', 'Use one authentication method.');
    }
    const { raw, by, publishableKey } = presented;
    if (by !== 'bearer' || !servers.hasPrefix(raw)) {
      return introspectAsService(dependencies, ctx, form);
    }
    if (publishableKey !== undefined) {
      throw new OAuthError(400, 'invalid_request', 'Use one authentication method.');
    }
    const answer = await introspectAsServer(dependencies, form, raw);
    // The guard refuses the invalid credential of a server, with its challenge.
    return (
      answer ??
      introspectAsService(dependencies, ctx, form).catch((refusal: unknown) =>
        servers.explain(raw, refusal),
      )
    );
  }
  const { id, secret, by } = readClientCredentials(ctx, form);
  if (id !== undefined && isId('rsv', id)) {
    const answer = await introspectAsServer(dependencies, form, secret ?? '', id);
    if (answer === undefined) throw clientRefused(by, 'the credential is not valid');
    return answer;
  }
  return id !== undefined && isId('key', id)
    ? introspectByKey(dependencies, ctx, form, { id, secret, by })
    : introspectAsClient(dependencies, ctx, form);
}

/** @throws OAuthError `invalid_request` without a token, and for an invalid address */
function readQuestion(form: Form): Question {
  const token = singleValue(form, 'token');
  if (token === undefined) throw new OAuthError(400, 'invalid_request', 'token is missing');
  // An empty address is refused: a caller with a missing value must not get a verdict that ignores the allow-list.
  const address = form.get('address') ?? undefined;
  if (address !== undefined && !isAddress(address)) {
    const description = 'address must be an IPv4 or IPv6 address, without a port';
    throw new OAuthError(400, 'invalid_request', description);
  }
  return { token, address };
}

function describe(
  principal: Principal,
  issuer: string,
  allowedIps: readonly string[] | null,
): object {
  const { token, exchanged, expiresAt, proofKey } = principal;
  // Members that are undefined are not written.
  return {
    active: true,
    scope: principal.scopes.join(' ') || undefined,
    key_id: token === undefined ? keyIdOf(principal) : undefined,
    client_id: token?.clientId ?? exchanged?.keyId,
    sub: principal.principalId,
    tenant_id: principal.tenantId,
    environment: principal.environment,
    spaces: principal.spaces ?? undefined,
    bindings: principal.bindings ?? undefined,
    allowed_ips: allowedIps ?? undefined,
    principal: { kind: principal.principalKind, id: principal.principalId },
    role: token?.role,
    aud: (token ?? exchanged)?.audience,
    token_type: proofKey === null ? 'Bearer' : 'DPoP',
    cnf: proofKey === null ? undefined : { jkt: proofKey },
    exp: expiresAt === null ? undefined : Math.floor(expiresAt / 1000),
    iat: Math.floor(principal.issuedAt / 1000),
    iss: issuer,
  };
}

/** Drops members without a value. An empty list is a value. */
function withoutEmpty(members: Readonly<Record<string, unknown>>): object {
  const kept = Object.entries(members).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  return Object.fromEntries(kept);
}
