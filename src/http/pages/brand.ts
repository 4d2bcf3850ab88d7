import { readFileSync } from 'node:fs';
import { extname } from 'node:path';

/** The operator's product, as pages show it. */
export interface Brand {
  readonly name: string;
  /** `#rrggbb`; the default colour if absent. */
  readonly color?: string | undefined;
  /** The path of an image, or its https URL. */
  readonly logo?: string | undefined;
  /** Links at the foot of every page. */
  readonly helpUrl?: string | undefined;
  readonly termsUrl?: string | undefined;
  readonly privacyUrl?: string | undefined;
}

const LOGO_TYPES: ReadonlyMap<string, string> = new Map([
  ['.svg', 'image/svg+xml'],
  ['.png', 'image/png'],
  ['.webp', 'image/webp'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
]);

const MAX_LOGO = 512 * 1024;

/** The logo: a file of ours, or the URL of another server's. */
interface Logo {
  readonly file?: { readonly type: string; readonly content: Buffer };
  readonly url?: string;
}

/** @throws Error for a file that is missing, too large or of another type */
export function readLogo(logo: string | undefined): Logo {
  if (logo === undefined) return {};
  if (logo.startsWith('https://')) return { url: new URL(logo).href };
  const type = LOGO_TYPES.get(extname(logo).toLowerCase());
  if (type === undefined) {
    throw new Error(`BRAND_LOGO must be one of ${[...LOGO_TYPES.keys()].join(', ')}: ${logo}`);
  }
  const content = readFileSync(logo);
  if (content.length > MAX_LOGO) throw new Error(`BRAND_LOGO is larger than ${MAX_LOGO} bytes`);
  return { file: { type, content } };
}

const DEFAULT_COLOR = '#1f4fd1';
const DARK_TEXT = '#14181f';

/** The style rules of the brand's colour: buttons, and the text on them in the colour that is easier to read. */
export function brandStyle({ color }: Brand): string {
  if (color === undefined) return '';
  return `:root{--accent:${color};--accent-over:color-mix(in srgb,${color} 86%,#000);--on-accent:${textOn(color)}}`;
}

/** The icon for browser tabs: the first letter of the name on the brand's colour. */
export function brandIcon({ name, color = DEFAULT_COLOR }: Brand): string {
  const letter = (name.trim() || ' ').toUpperCase().codePointAt(0);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">` +
    `<rect width="32" height="32" rx="7" fill="${color}"/>` +
    `<text x="16" y="23" font-family="system-ui,sans-serif" font-size="20" font-weight="700" ` +
    `text-anchor="middle" fill="${textOn(color)}">&#${letter};</text></svg>`
  );
}

/** White or dark text, by contrast (WCAG 2.2 §1.4.3). */
function textOn(color: string): string {
  const light = luminance(color);
  const onWhite = 1.05 / (light + 0.05);
  const onDark = (light + 0.05) / (luminance(DARK_TEXT) + 0.05);
  return onWhite >= onDark ? '#ffffff' : DARK_TEXT;
}

/** The relative luminance of `#rrggbb` (WCAG 2.2). */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
