// Four services, one for each adapter of the guard package, with the same guarded routes: node framework-services.mjs <JSON>
//
// `folder` is where the package is; without it, it is imported by its name. Prints the origin of each service as JSON, and
// ends when its standard input does.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';

import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import Router from '@koa/router';

const { folder, options } = JSON.parse(process.argv[2] ?? '{}');
const load = (name) =>
  folder === undefined
    ? import(`@gatehouse/guard${name === 'index' ? '' : `/${name}`}`)
    : import(pathToFileURL(`${folder}/${name}.js`).href);

const [{ createGuard }, onKoa, onExpress, onFastify, onFetch] = await Promise.all(
  ['index', 'koa', 'express', 'fastify', 'fetch'].map(load),
);

const MACHINES_AND_USERS = ['tenant', 'user', 'service', 'agent'];
const ANY = [...MACHINES_AND_USERS, 'publishable'];
const contacts = (scope) => ({
  scopes: [`contacts:${scope}`],
  principals: MACHINES_AND_USERS,
  resource: { type: 'contacts' },
  // The API resolves the space in its own way.
  space: () => undefined,
});
const ROUTES = [
  ['get', '/api/v1/me', { scopes: [], principals: ANY, space: () => undefined }],
  ['get', '/api/v1/contacts', contacts('read')],
  ['get', '/api/v1/contacts/:id', contacts('read')],
  ['post', '/api/v1/contacts', contacts('write')],
  [
    'get',
    '/api/v1/products',
    { scopes: ['products:read'], principals: ANY, space: () => undefined },
  ],
  ['get', '/spaces', { scopes: ['contacts:read'] }],
  ['get', '/free', { scopes: [], principals: ANY, cost: 0 }],
];
const dataOf = ({ requestId, verdict, space }, body) => ({
  data: { verdict, space, body },
  meta: { request_id: requestId },
});

const guard = createGuard({ ...options, onError: (error) => console.error(error.message) });

function koaService() {
  const app = new Koa();
  const router = new Router();
  const read = async (ctx, next) => {
    ctx.state.body = await textOf(ctx.req);
    await next();
  };
  for (const [method, path, access] of ROUTES) {
    const guarded = onKoa.protect(guard, access);
    router[method](path, guarded, read, guarded.afterBody, (ctx) => {
      ctx.body = dataOf(onKoa.authOf(ctx), ctx.state.body);
    });
  }
  app.use(router.routes());
  return createServer(app.callback());
}

function expressService() {
  const app = express();
  for (const [method, path, access] of ROUTES) {
    const guarded = onExpress.protect(guard, access);
    const body = express.text({ type: () => true, limit: '1mb' });
    app[method](path, guarded, body, guarded.afterBody, (request, response) => {
      response.json(dataOf(onExpress.authOf(request), request.body));
    });
  }
  return createServer(app);
}

async function fastifyService() {
  let server;
  const app = fastify({
    serverFactory: (handler) => {
      server = createServer(handler);
      return server;
    },
  });
  for (const [method, url, access] of ROUTES) {
    app.route({
      method: method.toUpperCase(),
      url,
      ...onFastify.protect(guard, access),
      handler: async (request) => dataOf(onFastify.authOf(request), request.body),
    });
  }
  await app.ready();
  return server;
}

/** A server of `fetch` handlers, as small as one can be. */
function fetchService() {
  const addresses = new WeakMap();
  const handlers = ROUTES.map(([method, path, access]) => {
    const pattern = new RegExp(`^${path.replace(':id', '([^/]+)')}$`);
    const idIn = ({ url }) => pattern.exec(new URL(url).pathname)?.[1];
    const rule = {
      ...access,
      ...(access.resource && { resource: { ...access.resource, id: idIn } }),
      address: (request) => addresses.get(request),
    };
    const handle = async (request, auth) =>
      Response.json(dataOf(auth, request.body === null ? undefined : await request.text()));
    return { method, pattern, handle: onFetch.protect(guard, rule, handle) };
  });
  return createServer(async (incoming, outgoing) => {
    const request = toRequest(incoming);
    addresses.set(request, incoming.socket.remoteAddress);
    const { pathname } = new URL(request.url);
    const method = incoming.method === 'HEAD' ? 'get' : incoming.method.toLowerCase();
    const found = handlers.find((one) => one.method === method && one.pattern.test(pathname));
    const response = (await found?.handle(request)) ?? new Response(null, { status: 404 });
    outgoing.writeHead(response.status, [...response.headers].flat());
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  });
}

function toRequest(incoming) {
  const headers = new Headers();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index], incoming.rawHeaders[index + 1]);
  }
  const hasBody = incoming.headers['content-length'] > 0;
  return new Request(`http://service.example${incoming.url}`, {
    method: incoming.method,
    headers,
    ...(hasBody && { body: Readable.toWeb(incoming), duplex: 'half' }),
  });
}

async function textOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const services = {
  koa: koaService(),
  express: expressService(),
  fastify: await fastifyService(),
  fetch: fetchService(),
};
const origins = {};
for (const [name, server] of Object.entries(services)) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  origins[name] = `http://127.0.0.1:${server.address().port}`;
}
console.log(JSON.stringify(origins));

// The guard alone does not keep the process alive.
process.stdin.resume().on('end', () => {
  for (const server of Object.values(services)) {
    server.close();
    server.closeAllConnections();
  }
});
