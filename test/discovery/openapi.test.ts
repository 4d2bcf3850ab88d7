import { beforeAll, describe, expect, it } from '@jest/globals';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import type { z } from 'zod';

import type { RouteDeclaration } from '../../src/http/route-declaration.js';
import { useGatehouse } from '../support/app/use-gatehouse.js';

const ISSUER = 'https://api.acme.test';

interface Operation {
  operationId: string;
  'x-scopes'?: string[];
  'x-principals'?: string[];
  'x-cost'?: number;
  security: Record<string, string[]>[];
  requestBody?: { content: Media };
  responses: Record<string, { content?: Media }>;
}

type Media = Record<string, { example?: unknown }>;

interface RequestBody {
  requestBody: {
    content: { 'application/json': { schema: { required: string[]; properties: object } } };
  };
}

describe('the OpenAPI document', () => {
  const gatehouse = useGatehouse({ ISSUER });
  let text: string;
  let paths: Record<string, Record<string, Operation>>;
  beforeAll(async () => {
    const answer = await gatehouse.http
      .get('/api/v1/openapi.json')
      .set('Origin', 'https://a.example');
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    text = answer.text;
    ({ paths } = answer.body as { paths: typeof paths });
  });

  it('passes the recommended rules of a public linter without a warning', async () => {
    // `by-external-id` beside `{id}` is not ambiguous: ids have a prefix.
    const rules = { 'no-ambiguous-paths': 'off' } as const;
    const config = await createConfig({ extends: ['recommended'], rules });

    const found = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });

    expect(
      found.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer]),
    ).toEqual([]);
  });

  it('has every route of the API, with its scopes, principals and cost', () => {
    for (const { method, path, access, cost } of gatehouse.app.apiRoutes) {
      const template = `/api/v1${path.replaceAll(/:(\w+)/g, '{$1}')}`;
      const operation = paths[template]?.[method.toLowerCase()];
      expect([template, operation?.['x-cost']]).toEqual([template, cost]);
      if (typeof access !== 'object') expect(operation?.security).toEqual([]);
      else {
        expect(operation?.['x-scopes']).toEqual(access.scopes);
        expect(operation?.['x-principals']).toEqual(access.principals);
      }
    }
    expect(paths).toHaveProperty(['/api/v1/verify', 'post']);
    expect(paths).toHaveProperty(['/api/v1/oauth/token', 'post']);
    expect(paths).toHaveProperty(
      ['/api/v1/operator/tenants', 'post', 'x-operator-scope'],
      'tenants:manage',
    );
  });

  it('has the members of the bodies that handlers read themselves', () => {
    const membersOf = (path: string) =>
      (paths as unknown as Record<string, { post: RequestBody }>)[path]?.post.requestBody.content[
        'application/json'
      ].schema;
    for (const path of ['/api/v1/operator/clients', '/api/v1/oauth/register']) {
      expect(membersOf(path)).toMatchObject({
        properties: { redirect_uris: { type: 'array' }, client_name: { type: 'string' } },
        required: ['redirect_uris'],
      });
    }
    const key = membersOf('/api/v1/operator/api-keys');
    expect(key?.required).toEqual(['name', 'scopes', 'tenantId']);
    expect(key).toMatchObject({ properties: { kind: {}, metadata: { type: 'object' } } });
  });

  it('has an example of every JSON body and answer, which the schemas of the routes accept', () => {
    const { apiRoutes, sessionRoutes, otherRoutes } = gatehouse.app;
    const refused: unknown[] = [];
    let checked = 0;
    const check = (schema: z.ZodType, media: Media | undefined, place: unknown[]) => {
      checked += 1;
      const { success } = schema.safeParse(media?.['application/json']?.example);
      if (!success) refused.push([...place, media]);
    };
    for (const route of [...apiRoutes, ...sessionRoutes, ...otherRoutes] as RouteDeclaration[]) {
      const { method, path, answers = {} } = route;
      const template = path.replaceAll(/:(\w+)/g, '{$1}');
      const operation = (paths[`/api/v1${template}`] ?? paths[template])?.[method.toLowerCase()];
      if (operation === undefined) continue;
      const body = route.body ?? route.ownBody;
      if (body) check(body, operation.requestBody?.content, [method, path]);
      for (const [status, answer] of Object.entries(answers)) {
        if (!status.startsWith('2') || answer === null || 'mediaTypes' in answer) continue;
        check(answer, operation.responses[status]?.content, [method, path, status]);
      }
    }

    expect(refused).toEqual([]);
    expect(checked).toBeGreaterThan(130);
    const created = paths['/api/v1/operator/tenants']?.['post'];
    expect(created?.requestBody?.content['application/json']?.example).toEqual({
      name: 'Acme',
      externalId: 'crm-1042',
      metadata: { plan: 'pro' },
    });
  });

  it('names each operation once', () => {
    const names = Object.values(paths)
      .flatMap((methods) => Object.values(methods))
      .map(({ operationId }) => operationId);

    expect(new Set(names).size).toBe(names.length);
  });

  it('has a page that shows the same, under the policy of every page', async () => {
    const page = await gatehouse.http.get('/docs/api');

    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("script-src 'self'");
    for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
      expect(page.text).toContain(`id="${operation.operationId}"`);
    }
    expect(page.text).toContain(
      '<pre class="example" tabindex="0"><code>{\n  &quot;name&quot;: &quot;Acme&quot;,',
    );
    expect(page.text).toContain(`curl ${gatehouse.config.ISSUER}/api/v1/me -H`);
    expect(page.text).not.toMatch(/undefined|\[object/);
  });
});
