import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';

import { createOutbound, type Outbound } from '../../src/outbound/outbound.js';
import { createWebServer, type WebServer } from '../support/app/web-server.js';
import { createAuthority } from '../support/browser/certificates.js';

const NAME = 'client.example.com';
const authority = createAuthority();
const TIMEOUT_MS = 300;

let server: WebServer;
/** Names that were resolved, in their order. */
let resolved: string[];
let addresses: readonly string[];
let time: number;
let outbound: Outbound;
let register: Registry;

/** A guard that may reach this machine, where the servers of the tests are. */
function create(isLoopbackAllowed = true): Outbound {
  register = new Registry();
  return createOutbound({
    register,
    isLoopbackAllowed,
    ca: authority.certificate,
    timeoutMs: TIMEOUT_MS,
    now: () => time,
    async resolve(name) {
      resolved.push(name);
      return addresses;
    },
  });
}

function ask(url: string, from: Outbound = outbound) {
  const request = { purpose: 'client_document', mediaTypes: ['application/json'], maxBytes: 100 };
  return from.fetch({ ...request, purpose: 'client_document', url });
}

const at = (path: string, name = NAME) => `https://${name}:${server.port}${path}`;
const failed = (reason: string) => ({ outcome: 'failed', reason });

beforeAll(async () => {
  server = await createWebServer(authority.issue(NAME));
});
afterAll(() => server.close());

/** A guard without earlier failures, and names that lead to this machine. */
function reset(isLoopbackAllowed?: boolean): void {
  resolved = [];
  addresses = ['127.0.0.1'];
  time = 0;
  server.requested.length = 0;
  outbound = create(isLoopbackAllowed);
}

describe('a request', () => {
  it('goes to the address that was checked, with one resolution', async () => {
    reset();
    server.serve('/ok', { fine: true }, { 'Cache-Control': 'max-age=5' });

    const answer = await ask(at('/ok'));

    expect(answer).toMatchObject({ outcome: 'fetched', headers: { 'cache-control': 'max-age=5' } });
    expect(answer.outcome === 'fetched' && answer.body.toString()).toBe('{"fine":true}');
    // A second resolution could lead elsewhere (DNS rebinding).
    expect(resolved).toEqual([NAME]);
    expect(await register.metrics()).toContain(
      'gatehouse_outbound_requests_total{purpose="client_document",outcome="fetched"} 1',
    );
  });

  it('is refused if one of the addresses is not public', async () => {
    reset(false);
    server.serve('/ok', {});
    for (const list of [['127.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['2606:4700::1', '::1']]) {
      addresses = list;
      expect(await ask(at('/ok'))).toEqual(failed('address'));
    }
    expect(server.requested).toEqual([]);
  });

  it('checks the certificate against the name', async () => {
    reset();
    server.serve('/ok', {});

    expect(await ask(at('/ok', 'other.example.com'))).toEqual(failed('connection'));
    expect(server.requested).toEqual([]);
  });

  it('sends no cookie, no credential and no address of a user', async () => {
    reset();
    server.pages.set('/headers', ({ headers }, response) => {
      const { host: _host, ...others } = headers;
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(Object.keys(others).toSorted()));
    });

    const answer = await ask(at('/headers'));
    expect(answer.outcome === 'fetched' && JSON.parse(answer.body.toString())).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'user-agent',
    ]);
  });
});

describe('a URL', () => {
  it.each([
    ['http', 'http://client.example.com/a'],
    ['another scheme', 'ftp://client.example.com/a'],
    ['a file', 'file:///etc/passwd'],
    ['credentials', 'https://user:secret@client.example.com/a'],
    ['this machine', 'https://localhost/a'],
    ['this machine with a dot', 'https://localhost./a'],
    ['a name below localhost', 'https://db.localhost/a'],
    ['a single label', 'https://metadata/a'],
    ['a private suffix', 'https://metadata.google.internal/a'],
    ['loopback', 'https://127.0.0.1/a'],
    ['loopback in decimal', 'https://2130706433/a'],
    ['loopback in octal', 'https://0177.0.0.1/a'],
    ['loopback in hexadecimal', 'https://0x7f000001/a'],
    ['loopback, shortened', 'https://127.1/a'],
    ['loopback in full-width digits', 'https://１２７.0.0.1/a'],
    ['the unspecified address', 'https://0.0.0.0/a'],
    ['10.0.0.0/8', 'https://10.1.2.3/a'],
    ['172.16.0.0/12', 'https://172.31.255.255/a'],
    ['192.168.0.0/16', 'https://192.168.1.1/a'],
    ['carrier-grade NAT', 'https://100.64.0.1/a'],
    ['link-local, the metadata of clouds', 'https://169.254.169.254/a'],
    ['the metadata of Azure', 'https://168.63.129.16/a'],
    ['benchmarking', 'https://198.18.0.1/a'],
    ['documentation', 'https://203.0.113.5/a'],
    ['multicast', 'https://224.0.0.1/a'],
    ['reserved', 'https://240.0.0.1/a'],
    ['broadcast', 'https://255.255.255.255/a'],
    ['IPv6 loopback', 'https://[::1]/a'],
    ['IPv6 unspecified', 'https://[::]/a'],
    ['IPv4-mapped', 'https://[::ffff:127.0.0.1]/a'],
    ['IPv4-mapped in hexadecimal', 'https://[::ffff:7f00:1]/a'],
    ['IPv4-compatible', 'https://[::127.0.0.1]/a'],
    ['IPv4-translated', 'https://[::ffff:0:7f00:1]/a'],
    ['NAT64', 'https://[64:ff9b::7f00:1]/a'],
    ['NAT64 for local use', 'https://[64:ff9b:1::a00:1]/a'],
    ['6to4', 'https://[2002:7f00:1::]/a'],
    ['Teredo', 'https://[2001:0:7f00:1::]/a'],
    ['unique local', 'https://[fd00::1]/a'],
    ['link-local', 'https://[fe80::1]/a'],
    ['site-local', 'https://[fec0::1]/a'],
    ['multicast of IPv6', 'https://[ff02::1]/a'],
    ['documentation of IPv6', 'https://[2001:db8::1]/a'],
    ['documentation of IPv6, newer', 'https://[3fff::1]/a'],
    ['segment routing', 'https://[5f00::1]/a'],
    ['discard', 'https://[100::1]/a'],
  ])('with %s is never requested', async (_what, url) => {
    reset(false);
    // A name that passes would resolve to a public address.
    addresses = ['93.184.215.14'];

    expect(await ask(url)).toEqual(failed('url'));
    expect(resolved).toEqual([]);
  });

  it('to another private address stays refused where this machine is allowed', async () => {
    reset(true);
    for (const host of ['10.0.0.1', '169.254.169.254', '[fd00::1]', '[::ffff:127.0.0.1]']) {
      expect(await ask(`https://${host}/a`)).toEqual(failed('url'));
    }
    addresses = ['10.0.0.1'];
    expect(await ask(at('/ok'))).toEqual(failed('address'));
  });

  it('may use http for this machine where that is allowed', async () => {
    reset(true);
    const plain = await createWebServer();
    plain.serve('/ok', {});
    for (const host of ['127.0.0.1', 'localhost']) {
      const answer = await ask(`http://${host}:${plain.port}/ok`);
      expect(answer.outcome).toBe('fetched');
    }
    expect(resolved).toEqual([]);
    await plain.close();
  });
});

describe('a response', () => {
  it('is not followed to another place', async () => {
    reset();
    server.serve('/ok', {});
    for (const status of [301, 302, 303, 307, 308]) {
      server.pages.set('/moved', (_request, response) =>
        response.writeHead(status, { Location: at('/ok') }).end(),
      );
      expect(await ask(at('/moved'))).toEqual(failed('status'));
    }
    expect(server.requested).not.toContain('/ok');
  });

  it('needs status 200, the media type and no compression', async () => {
    reset();
    const json = { 'Content-Type': 'application/json' };
    const answering = (status: number, headers: Record<string, string>) => {
      server.pages.set('/page', (_request, response) =>
        response.writeHead(status, headers).end('{}'),
      );
      return ask(at('/page'));
    };

    expect(await answering(404, json)).toEqual(failed('status'));
    expect(await answering(201, json)).toEqual(failed('status'));
    expect(await answering(200, { 'Content-Type': 'text/html' })).toEqual(failed('type'));
    expect(await answering(200, {})).toEqual(failed('type'));
    expect(await answering(200, { ...json, 'Content-Encoding': 'gzip' })).toEqual(
      failed('encoding'),
    );
    const charset = { 'Content-Type': 'Application/JSON; charset=utf-8' };
    expect((await answering(200, charset)).outcome).toBe('fetched');
  });

  it('is cut off at the limit of its size, announced or not', async () => {
    reset();
    const json = { 'Content-Type': 'application/json' };
    server.serve('/announced', 'x'.repeat(101));
    server.serve('/fits', 'x'.repeat(100));
    let isClosed: Promise<void> | undefined;
    server.pages.set('/endless', (_request, response) => {
      response.writeHead(200, json);
      const timer = setInterval(() => response.write('x'.repeat(64)), 1);
      isClosed = new Promise((resolve) => {
        response.on('close', () => {
          clearInterval(timer);
          resolve();
        });
      });
    });

    expect((await ask(at('/fits'))).outcome).toBe('fetched');
    expect(await ask(at('/announced'))).toEqual(failed('size'));
    expect(await ask(at('/endless'))).toEqual(failed('size'));
    await isClosed;
  });

  it('has a total time, which a slow drip does not extend', async () => {
    reset();
    server.pages.set('/silent', () => undefined);
    server.pages.set('/drip', (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const started = performance.now();

    expect(await ask(at('/drip'))).toEqual(failed('timeout'));
    time += 10_000;
    expect(await ask(at('/silent'))).toEqual(failed('timeout'));
    expect(performance.now() - started).toBeLessThan(20 * TIMEOUT_MS);
  });
});

describe('a connection', () => {
  it('that stalls before its handshake ends in time, and so does a name that DNS is slow about', async () => {
    reset();
    const mute = createServer(() => undefined);
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { port } = mute.address() as AddressInfo;
    expect(await ask(`https://${NAME}:${port}/a`)).toEqual(failed('timeout'));
    mute.close();

    outbound = createOutbound({
      register: new Registry(),
      isLoopbackAllowed: false,
      timeoutMs: TIMEOUT_MS,
      now: () => time,
      resolve: (_name, signal) =>
        new Promise((resolve) => signal.addEventListener('abort', () => resolve([]))),
    });
    expect(await ask(at('/ok'))).toEqual(failed('timeout'));
  });

  it('ends at headers without an end', async () => {
    reset();
    server.pages.set('/headers', (_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'X-Long': 'x'.repeat(9000) });
      response.end('{}');
    });
    expect(await ask(at('/headers'))).toEqual(failed('connection'));
  });
});

describe('a host', () => {
  it('that fails is left alone for a growing time', async () => {
    reset();
    server.pages.set('/down', (_request, response) => response.writeHead(503).end());
    const count = () => server.requested.length;

    expect(await ask(at('/down'))).toEqual(failed('overload'));
    expect(await ask(at('/down'))).toEqual(failed('paused'));
    time += 1001;
    expect(await ask(at('/down'))).toEqual(failed('overload'));
    time += 1001;
    expect(await ask(at('/down'))).toEqual(failed('paused'));
    expect(count()).toBe(2);

    time += 1000;
    server.serve('/ok', {});
    expect((await ask(at('/ok'))).outcome).toBe('fetched');
    expect((await ask(at('/ok'))).outcome).toBe('fetched');
  });

  it('is not left alone because one of its documents is missing or wrong', async () => {
    reset();
    server.serve('/ok', {});
    server.serve('/long', 'x'.repeat(200));
    expect(await ask(at('/missing'))).toEqual(failed('status'));
    expect(await ask(at('/long'))).toEqual(failed('size'));

    expect((await ask(at('/ok'))).outcome).toBe('fetched');
  });

  it('gets few requests at a time', async () => {
    reset();
    const waiting: (() => void)[] = [];
    server.pages.set('/held', (_request, response) => {
      waiting.push(() => response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}'));
      if (waiting.length === 4) for (const respond of waiting) respond();
    });

    const answers = await Promise.all(Array.from({ length: 6 }, () => ask(at('/held'))));

    expect(answers.filter(({ outcome }) => outcome === 'fetched')).toHaveLength(4);
    expect(answers.filter((answer) => 'reason' in answer && answer.reason === 'busy')).toHaveLength(
      2,
    );
  });

  it('that DNS does not know is a failure', async () => {
    reset();
    addresses = [];
    expect(await ask(at('/ok'))).toEqual(failed('name'));
  });
});
