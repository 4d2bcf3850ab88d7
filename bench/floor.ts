import Router from '@koa/router';
import Koa from 'koa';

/** The floor: what a Koa handler behind @koa/router answers when it does nothing else. */
const router = new Router();
router.get('/api/v1/me', (ctx) => {
  ctx.body = { data: { ok: true } };
});

const server = new Koa()
  .use(router.routes())
  .listen(Number(process.env['PORT']), '127.0.0.1', () => process.stderr.write('ready\n'));
process.on('SIGTERM', () => server.close().closeAllConnections());
