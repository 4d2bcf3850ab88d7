import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Freshness } from '../../src/guard/index.js';
import { createTestApp, type TestApp } from '../support/app/app.js';
import { createCredential } from '../support/app/credentials.js';
import { createTable, expectConformance } from '../support/guard/conformance.js';
import { startServices } from '../support/guard/services.js';

const run = promisify(execFile);
const FRAMEWORKS = ['express', 'fastify', 'koa', '@koa/router'];
const TYPES = ['@types/node', 'undici-types', '@types/koa', 'typescript'];

/** Uses every entry of the package with the types of the frameworks. */
const CONSUMER = `
import Koa from 'koa';
import { fastify } from 'fastify';
import { createGuard, UnavailableError, type GuardOptions } from '@gatehouse/guard';
import * as onExpress from '@gatehouse/guard/express';
import * as onFastify from '@gatehouse/guard/fastify';
import * as onFetch from '@gatehouse/guard/fetch';
import * as onKoa from '@gatehouse/guard/koa';

const options: GuardOptions = { issuer: 'https://a.example', credential: 'x', freshness: { maxStaleMs: 1000 } };
const guard = createGuard(options);
const access = { scopes: ['contacts:read'], principals: ['tenant'] } as const;
new Koa().use(onKoa.protect(guard, access)).use((ctx) => {
  ctx.body = onKoa.authOf(ctx).verdict.tenantId;
});
fastify().get('/', onFastify.protect(guard, access), async (request) => onFastify.authOf(request).space);
export const middleware: onExpress.ExpressProtection = onExpress.protect(guard, access);
export const handler: (request: Request, address: string) => Promise<Response> = onFetch.protect(
  guard,
  { ...access, address: (_request, address: string) => address },
  (_request, { verdict }) => Response.json(verdict.scopes),
);
export const isUnavailable = (error: unknown): boolean => error instanceof UnavailableError;
`;

describe('the packed guard package', () => {
  let gatehouse: TestApp;
  let project: string;
  beforeAll(async () => {
    gatehouse = await createTestApp();
    project = await mkdtemp(join(tmpdir(), 'guarded-project-'));
    await run(process.execPath, ['.ci/build-guard.mjs', join(project, 'built')]);
    const { stdout } = await run('npm', ['pack', join(project, 'built'), '--json'], {
      cwd: project,
    });
    const [packed] = JSON.parse(stdout) as [{ filename: string }];
    await writeFile(join(project, 'package.json'), '{"private": true, "type": "module"}');
    const install = ['install', '--offline', '--no-audit', '--no-fund', packed.filename];
    await run('npm', install, { cwd: project });
    for (const name of [...FRAMEWORKS, ...TYPES]) {
      const target = join(project, 'node_modules', name);
      await mkdir(join(target, '..'), { recursive: true });
      await symlink(resolve('node_modules', name), target);
    }
    await cp('test/support/guard/framework-services.mjs', join(project, 'services.mjs'));
  }, 120_000);
  afterAll(async () => {
    await rm(project, { recursive: true, force: true });
    await gatehouse.close();
  });

  it('has modules and types only, and needs nothing', async () => {
    const folder = join(project, 'node_modules/@gatehouse/guard');
    const description = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    for (const name of ['dependencies', 'peerDependencies', 'scripts', 'private']) {
      expect(description).not.toHaveProperty(name);
    }
    const names = await readdir(folder);
    expect(names.filter((name) => !/\.(js|d\.ts)$/.test(name)).toSorted()).toEqual([
      'LICENSE',
      'README.md',
      'package.json',
    ]);
  });

  it('has types that fit those of the frameworks', async () => {
    await writeFile(join(project, 'consumer.ts'), CONSUMER);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'];
    const types = ['--types', 'node', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes'];
    const compiler = resolve('node_modules/typescript/bin/tsc');
    const result = run(process.execPath, [compiler, ...options, ...types, 'consumer.ts'], {
      cwd: project,
    });
    const { stdout } = await result.catch(({ stdout: errors }: { stdout: string }) => ({
      stdout: errors,
    }));
    // Types of others have errors of their own.
    const errors = stdout.split('\n').filter((line) => !line.includes('node_modules/@types/'));
    expect(errors).toEqual(['']);
  }, 120_000);

  it.each<readonly [string, Freshness]>([
    ['exact', 'exact'],
    ['with kept verdicts', { maxStaleMs: 1000 }],
  ])(
    'answers as the API does, %s, and lets its process end',
    async (slug, freshness) => {
      const tenant = await gatehouse.createTenant(slug.replaceAll(' ', '-'));
      const { secret } = await createCredential(gatehouse, tenant, 'service', ['introspect']);
      const issuer = gatehouse.config.ISSUER;
      const services = await startServices(
        {
          issuer,
          url: gatehouse.origin,
          origin: issuer,
          credential: secret,
          freshness,
          resourceMetadataUrl: `${issuer}/.well-known/oauth-protected-resource/api/v1`,
        },
        join(project, 'services.mjs'),
      );
      const table = await createTable(gatehouse, tenant);
      // The second time from verdicts that are kept. Proofs that were used are refused both times.
      await expectConformance(gatehouse, services, table);
      await expectConformance(gatehouse, services, table);
      expect(services.errors()).toBe('');
      expect(await services.close()).toBe(0);
    },
    120_000,
  );
});
