import type { Response } from 'supertest';

import type { TestApp } from '../app/app.js';

interface PageRequest {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: object;
}

/** Calls of a page of some origin, as a browser lets it make them. */
export interface ForeignPage {
  /** @returns `undefined` if the browser does not send the request, or does not show the answer */
  fetch(path: string, request?: PageRequest): Promise<Response | undefined>;
}

const SIMPLE_METHODS: readonly string[] = ['GET', 'HEAD', 'POST'];

/** A page that another site serves: what it may do is decided as the Fetch standard says. */
export function createForeignPage({ http }: TestApp, origin: string): ForeignPage {
  const names = (answer: Response, header: string) =>
    (answer.headers[header] ?? '').toLowerCase().split(', ');
  const isShown = (answer: Response) =>
    ['*', origin].includes(answer.headers['access-control-allow-origin'] ?? '');

  async function isAllowed(path: string, method: string, headers: readonly string[]) {
    const answer = await http.options(path).set({
      Origin: origin,
      'Access-Control-Request-Method': method,
      'Access-Control-Request-Headers': headers.toSorted().join(','),
    });
    const allowed = names(answer, 'access-control-allow-headers');
    return (
      isShown(answer) &&
      answer.ok &&
      (SIMPLE_METHODS.includes(method) ||
        names(answer, 'access-control-allow-methods').includes(method.toLowerCase())) &&
      headers.every((name) => allowed.includes(name))
    );
  }

  return {
    async fetch(path, { method = 'GET', headers = {}, body } = {}) {
      const asked = Object.keys(headers).map((name) => name.toLowerCase());
      if (body !== undefined) asked.push('content-type');
      const isSimple = SIMPLE_METHODS.includes(method) && asked.length === 0;
      if (!isSimple && !(await isAllowed(path, method, asked))) return undefined;
      const name = method.toLowerCase() as Lowercase<typeof method>;
      const answer = await http[name](path)
        .set({ ...headers, Origin: origin })
        .send(body);
      return isShown(answer) ? answer : undefined;
    },
  };
}
