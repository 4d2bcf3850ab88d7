import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';

import type { Route } from '../routes.js';
import { Problem } from '../errors/problem.js';
import { brandIcon, brandStyle, readLogo, type Brand } from './brand.js';
import { readView, VIEWS } from './views.js';

/** A file that pages load from this origin. */
interface Asset {
  readonly type: string;
  readonly content: Buffer;
}

/** The files that pages load, and the routes that serve them. */
export interface Assets {
  /** The addresses for the head of a page. They change with the content, so browsers may keep them. */
  readonly style: string;
  readonly script: string;
  readonly icon: string;
  /** `undefined` without a logo. */
  readonly logo: string | undefined;
  /** The origin of a logo that another server has, for the policy of pages. */
  readonly logoOrigin: string | undefined;
  readonly routes: readonly Route<'public'>[];
}

const FOREVER = 'public, max-age=31536000, immutable';

/**
 * Reads the stylesheet, the scripts and the brand's images at start: the folder of the sources may be removed while the
 * server runs.
 * @throws Error if a file is missing, or the logo cannot be used
 */
export function createAssets(brand: Brand): Assets {
  const logo = readLogo(brand.logo);
  const files = new Map<string, Asset>([
    ['style.css', asset('text/css; charset=utf-8', readStyle(brand))],
    ['icon.svg', asset('image/svg+xml', brandIcon(brand))],
    ...filesIn('scripts/', '.js').map((name): [string, Asset] => [
      name,
      asset('text/javascript; charset=utf-8', readView(`scripts/${name}`)),
    ]),
    ...(logo.file === undefined ? [] : [['logo', logo.file] as const]),
  ]);
  const version = versionOf(files);
  const addressOf = (name: string) => `/assets/${version}/${name}`;

  const serve = (name: string, wanted: string, ctx: Parameters<Route<'public'>['handle']>[0]) => {
    const found = files.get(name);
    if (found === undefined) throw new Problem('not_found', 'No file has this address.');
    ctx.set({
      'Content-Type': found.type,
      // During an update, a page of one release may load from a server of another: what that one has must not be kept.
      'Cache-Control': wanted === version ? FOREVER : 'no-cache',
      // A logo may be an SVG document with a script.
      'Content-Security-Policy': "script-src 'none'; frame-ancestors 'none'; sandbox",
    });
    ctx.body = found.content;
  };
  const route = (path: string, handle: Route<'public'>['handle']): Route<'public'> => ({
    method: 'GET',
    path,
    access: 'public',
    handle,
  });
  return {
    style: addressOf('style.css'),
    script: addressOf('console.js'),
    icon: addressOf('icon.svg'),
    logo: logo.file === undefined ? logo.url : addressOf('logo'),
    logoOrigin: logo.url === undefined ? undefined : new URL(logo.url).origin,
    routes: [
      route('/assets/:version/:name', (ctx) =>
        serve(ctx.params['name'] ?? '', ctx.params['version'] ?? '', ctx),
      ),
      // Browsers ask for it beside documents that name no icon.
      route('/favicon.ico', (ctx) => serve('icon.svg', '', ctx)),
    ],
  };
}

function asset(type: string, content: string): Asset {
  return { type, content: Buffer.from(content) };
}

/** All parts of the stylesheet in one file, `base.css` first, and the brand's colour at the end. */
function readStyle(brand: Brand): string {
  const parts = filesIn('styles/', '.css').filter((name) => name !== 'base.css');
  const texts = ['base.css', ...parts].map((name) => readView(`styles/${name}`));
  return [...texts, brandStyle(brand)].join('\n');
}

function filesIn(folder: string, ending: string): readonly string[] {
  return readdirSync(new URL(folder, VIEWS))
    .filter((name) => name.endsWith(ending))
    .toSorted();
}

function versionOf(files: ReadonlyMap<string, Asset>): string {
  const hash = createHash('sha256');
  for (const [name, { content }] of files)
    hash.update(`${name}\0${content.length}\0`).update(content);
  return hash.digest('hex').slice(0, 16);
}
