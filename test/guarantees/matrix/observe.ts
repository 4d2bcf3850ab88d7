import { Agent } from 'node:http';

import { inParallel } from '../../support/app/parallel.js';
import { sendRaw } from '../../support/app/raw-http.js';
import type { Caller } from './callers.js';
import type { Carried } from './contract.js';
import type { Owner, Targets } from './targets.js';

const AT_ONCE = 16;

/** One request, and the answer that it has to have. */
export interface Cell {
  readonly name: string;
  readonly method: string;
  /** As it was declared, such as `/contacts/:id`. */
  readonly path: string;
  readonly carried: Carried | readonly Carried[];
  /** Caller of the request, if it has one. */
  readonly caller?: Caller;
  /** Whose the thing is that it names. */
  readonly owner?: Owner;
  readonly expected: string;
}

/** Sends requests, and finds the answers that are not as they have to be. */
export interface Observer {
  /** A line for each. */
  mismatches(cells: readonly Cell[]): Promise<readonly string[]>;
  close(): void;
}

export function createObserver(origin: string, targets: Targets): Observer {
  const agent = new Agent({ keepAlive: true });

  async function send({ method, path, carried, caller, owner = 'own', expected }: Cell) {
    const { kind = 'secret', environment = 'live' } = caller ?? {};
    const request = { method, path, kind, environment } as const;
    const willEnd = expected.startsWith('2') && (method === 'DELETE' || path.endsWith('/rotate'));
    const target = path.includes(':id') && (await targets.find(request, owner, willEnd));
    const all = [carried].flat();
    const search = all.flatMap(({ query }) => query || []);
    if (method === 'GET' && LISTS.has(path)) search.push('limit=100');
    const body = method.startsWith('P') ? JSON.stringify(targets.bodyOf(request)) : undefined;
    return sendRaw(origin, {
      method,
      agent,
      ...(body !== undefined && { body }),
      path: `/api/v1${path.replace(':id', target || '1')}${search.length > 0 ? `?${search.join('&')}` : ''}`,
      headers: [
        ...all.flatMap(({ headers }) => Object.entries(headers)),
        ...(body === undefined ? [] : describeBody(body)),
      ],
    });
  }

  /** Summarizes an answer: status, code, challenge, and what it shows wrongly. */
  async function observe(cell: Cell): Promise<string> {
    const { status, headers, text } = await send(cell);
    const isJson = /^application\/(problem\+)?json/.test(headers['content-type'] ?? '');
    const { code, data } = isJson && text !== '' ? JSON.parse(text) : {};
    const challenge = headers['www-authenticate'];
    const { path, caller } = cell;
    const wrong = data !== undefined && caller ? misshown(path, caller, data) : '';
    return [status, code, challenge && challengeOf(challenge), wrong].filter(Boolean).join(' ');
  }

  return {
    async mismatches(cells) {
      const found: string[] = [];
      await inParallel(cells.length, AT_ONCE, async (index) => {
        const cell = cells[index];
        const seen = cell && (await observe(cell));
        if (seen !== cell?.expected) {
          found.push(`${cell?.name}: expected ${cell?.expected}, saw ${seen}`);
        }
      });
      return found.toSorted();
    },
    close: () => agent.destroy(),
  };
}

function describeBody(body: string): readonly (readonly [string, string])[] {
  return [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(Buffer.byteLength(body))],
  ];
}

/** Content of a challenge, without its realm. */
function challengeOf(header: string): string {
  const [bearer = ''] = header.split(/, (?=DPoP )/);
  const members = [...bearer.matchAll(/(error|scope|resource_metadata)="[^"]*"/g)];
  return members.map(([text]) => text).join(' ');
}

/** The paths that lead to pages. */
const LISTS = new Set(['/contacts', '/products', '/spaces', '/api-keys']);

/** Which member of a row says in what environment it is. */
const MARKS: Readonly<Record<string, string>> = {
  '/contacts': 'firstName',
  '/products': 'name',
  '/api-keys': 'environment',
};

/** Names the data that an answer shows or omits against the rules. */
function misshown(path: string, { environment, shown }: Caller, data: unknown): string {
  if (path === '/me') {
    const seen = data as Record<string, unknown>;
    return Object.keys(shown)
      .filter((member) => JSON.stringify(seen[member]) !== JSON.stringify(shown[member]))
      .map((member) => `wrong ${member}: ${JSON.stringify(seen[member])}`)
      .join(', ');
  }
  const mark = MARKS[path];
  // Managers of live keys manage test keys too.
  if (!Array.isArray(data) || mark === undefined) return '';
  if (path === '/api-keys' && environment === 'live') return '';
  return data.length > 0 && data.every((row) => row[mark] === environment) ? '' : 'rows of others';
}
