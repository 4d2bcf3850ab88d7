import Router from '@koa/router';
import Koa from 'koa';

import { OAUTH_PATHS } from '../src/oauth/paths.js';

/** The floor: what a Koa handler behind @koa/router answers when it does nothing else. */
const router = new Router();
router.get('/api/v1/me', (ctx) => {
  ctx.body = { data: { ok: true } };
});
const contacts = Array.from({ length: 25 }, (_, id) => ({
  id,
  firstName: 'Ada',
  lastName: 'Lovelace',
  companyName: null,
  email: 'ada@example.com',
  phone: null,
  type: 'customer',
  createdAt: new Date(),
  updatedAt: new Date(),
}));
router.get('/api/v1/contacts', (ctx) => {
  ctx.body = { data: contacts };
});
router.get(OAUTH_PATHS.userinfo, (ctx) => {
  ctx.body = { ok: true };
});
for (const path of [OAUTH_PATHS.token, OAUTH_PATHS.introspect]) {
  router.post(path, (ctx) => {
    ctx.body = { ok: true };
  });
}

const server = new Koa()
  .use(router.routes())
  .listen(Number(process.env['PORT']), '127.0.0.1', () => process.stderr.write('ready\n'));
process.on('SIGTERM', () => server.close().closeAllConnections());
