import { createHash } from 'node:crypto';

import { PROBLEMS } from '../http/problem.js';
import type { Route } from '../http/routes.js';

export const ERROR_PAGE_PATH = '/docs/errors';

const STYLE = `
  :root { color-scheme: light dark; --line: #d9dce1; --soft: #5b6472; }
  @media (prefers-color-scheme: dark) { :root { --line: #363b44; --soft: #9aa4b2; } }
  body { font: 1rem/1.55 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem 4rem; }
  h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
  p { margin: .35rem 0 0; }
  .lead, h2 small { color: var(--soft); }
  section { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: 1.25rem; }
  section:target { border-top-color: currentColor; }
  h2 { align-items: baseline; display: flex; flex-wrap: wrap; font-size: 1rem; gap: .25rem .75rem; margin: 0; }
  h2 code { font: 600 1rem ui-monospace, monospace; overflow-wrap: anywhere; }
  h2 small { font-size: .9rem; font-weight: 400; }
`;

/** `/docs/errors`: what each error code means; the `type` of every problem leads to its section. */
export function createErrorPageRoutes({ brandName }: { brandName: string }): Route<'public'>[] {
  const page = render(brandName);
  // The page's only style is allowed by its hash, so that nothing injected could be styled or run.
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return [
    {
      method: 'GET',
      path: ERROR_PAGE_PATH,
      access: 'public',
      handle(ctx) {
        ctx.set({
          'Cache-Control': 'public, max-age=300',
          'Content-Security-Policy': policy,
          'Referrer-Policy': 'no-referrer',
        });
        ctx.type = 'text/html';
        ctx.body = page;
      },
    },
  ];
}

function render(brandName: string): string {
  const sections = Object.entries(PROBLEMS).map(
    ([code, { status, title, advice }]) => `
    <section id="${code}">
      <h2><code>${code}</code> <small>${status} · ${escape(title)}</small></h2>
      <p>${escape(advice)}</p>
    </section>`,
  );
  const name = escape(brandName);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Errors · ${name} API</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <main>
      <h1>Errors</h1>
      <p class="lead">What the ${name} API means by each <code>code</code>, and what to do about it.</p>${sections.join('')}
    </main>
  </body>
</html>
`;
}

function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
