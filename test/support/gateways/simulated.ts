import { once } from 'node:events';
import {
  createServer,
  request as send,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { parse } from 'yaml';

import type { Program } from '../process/programs.js';

type Sent = Record<string, string | string[] | undefined>;

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Decides about a request. @returns headers for the service, or the answer for the client */
type Check = (request: IncomingMessage) => Promise<{ readonly admitted: Sent } | Reply>;

/** Headers that end at a proxy. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

interface TraefikFile {
  readonly http: {
    readonly middlewares: {
      readonly gatehouse: {
        readonly forwardAuth: {
          readonly address: string;
          readonly authResponseHeadersRegex: string;
        };
      };
    };
    readonly services: {
      readonly api: { readonly loadBalancer: { readonly servers: readonly { url: string }[] } };
    };
  };
}

/**
 * Sends the requests that Traefik sends: a GET without a body, with the headers of the client, whose `X-Forwarded-*` it
 * replaces. A 2xx is a permission; the matching headers of the answer replace those of the client.
 */
export function startTraefik(configuration: string, port: number): Promise<Program> {
  const { middlewares, services } = (parse(configuration) as TraefikFile).http;
  const { address, authResponseHeadersRegex } = middlewares.gatehouse.forwardAuth;
  // A pattern of Go, which writes flags in front.
  const pattern = new RegExp(authResponseHeadersRegex.replace(/^\(\?i\)/, ''), 'i');
  const check: Check = async (request) => {
    const headers: Sent = {
      ...without(request.headers, [...HOP_BY_HOP, 'content-length', 'host']),
      'x-forwarded-for': request.socket.remoteAddress,
      'x-forwarded-host': request.headers.host,
      'x-forwarded-method': request.method,
      'x-forwarded-proto': 'http',
      'x-forwarded-uri': request.url,
    };
    const answer = await exchange(address, 'GET', headers);
    if (answer.status < 200 || answer.status > 299) return answer;
    return {
      admitted: {
        ...only(request.headers, (name) => !pattern.test(name)),
        ...only(answer.headers, (name) => pattern.test(name)),
      },
    };
  };
  const url = services.api.loadBalancer.servers[0]?.url ?? '';
  return startProxy(check, { service: url, port, unavailable: 500 });
}

type Patterns = { readonly patterns: readonly { exact?: string; prefix?: string }[] };

interface EnvoyFile {
  readonly http_filters: readonly {
    readonly typed_config: {
      readonly allowed_headers: Patterns;
      readonly http_service: {
        readonly server_uri: { readonly uri: string };
        readonly path_override: string;
        readonly authorization_request: {
          readonly headers_to_add: readonly { readonly key: string; readonly value: string }[];
        };
        readonly authorization_response: {
          readonly allowed_upstream_headers: Patterns;
          readonly allowed_client_headers: Patterns;
        };
      };
    };
  }[];
}

/**
 * Sends the requests that Envoy's `ext_authz` sends over HTTP: the method of the client, no body, the allowed headers,
 * and its own address at the end of `X-Forwarded-For`. Only 200 is a permission. Its connection manager refuses headers
 * with `_`, as the guide tells it to.
 */
export function startEnvoy(configuration: string, service: string, port: number): Promise<Program> {
  const [filter] = (parse(configuration) as EnvoyFile).http_filters;
  if (filter === undefined) throw new Error('there is no filter');
  const { allowed_headers: allowed, http_service: http } = filter.typed_config;
  const { allowed_upstream_headers: toService, allowed_client_headers: toClient } =
    http.authorization_response;
  const check: Check = async (request) => {
    if (Object.keys(request.headers).some((name) => name.includes('_'))) {
      return { status: 400, headers: {}, body: Buffer.from('') };
    }
    const chain = [request.headers['x-forwarded-for'], request.socket.remoteAddress];
    const forwardedFor = chain.filter((hop) => hop !== undefined).join(',');
    const forwarded = { ...request.headers, 'x-forwarded-for': forwardedFor };
    const headers: Sent = { ...only(forwarded, matcherOf(allowed)), 'content-length': '0' };
    for (const { key, value } of http.authorization_request.headers_to_add) {
      headers[key] = value.replace('%REQ(:PATH)%', request.url ?? '');
    }
    headers['x-forwarded-for'] = `${forwardedFor},127.0.0.1`;
    const answer = await exchange(
      http.server_uri.uri + http.path_override,
      request.method,
      headers,
    );
    if (answer.status === 200) {
      return { admitted: { ...forwarded, ...only(answer.headers, matcherOf(toService)) } };
    }
    if (answer.status >= 500) return { status: 503, headers: {}, body: Buffer.from('') };
    return { ...answer, headers: only(answer.headers, matcherOf(toClient)) as IncomingHttpHeaders };
  };
  return startProxy(check, { service, port, unavailable: 503 });
}

function matcherOf({ patterns }: Patterns): (name: string) => boolean {
  return (name) =>
    patterns.some(({ exact, prefix }) =>
      exact === undefined ? name.startsWith(prefix ?? ' ') : name === exact,
    );
}

function only(headers: Sent, isKept: (name: string) => boolean): Sent {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => isKept(name)));
}

function without(headers: Sent, names: readonly string[]): Sent {
  return only(headers, (name) => !names.includes(name));
}

/** @param unavailable the status while the check is not possible */
async function startProxy(
  check: Check,
  { service, port, unavailable }: { service: string; port: number; unavailable: number },
): Promise<Program> {
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    const verdict = await check(request);
    const {
      status,
      headers,
      body: text,
    } = 'admitted' in verdict
      ? await exchange(service + (request.url ?? ''), request.method, verdict.admitted, body)
      : verdict;
    response.writeHead(status, without(headers, [...HOP_BY_HOP, 'content-length'])).end(text);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(unavailable).end());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${port}`,
    output: () => '',
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function exchange(
  url: string,
  method: string | undefined,
  headers: Sent,
  body: Buffer = Buffer.from(''),
): Promise<Reply> {
  const defined = Object.entries(headers).filter(([, value]) => value !== undefined);
  const outgoing = send(url, {
    method,
    agent: false,
    headers: Object.fromEntries(defined) as Record<string, string | string[]>,
  });
  outgoing.end(body);
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  return {
    status: incoming.statusCode ?? 0,
    headers: incoming.headers,
    body: await buffer(incoming),
  };
}
