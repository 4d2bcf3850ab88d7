import type { IncomingHttpHeaders } from 'node:http';

const MIN_SECONDS = 60;
const MAX_SECONDS = 24 * 3600;

/**
 * How long a response may be used without asking again (RFC 9111 §4.2), between a minute and a day. Without usable
 * headers it is the minimum.
 *
 * @param now milliseconds since the epoch
 */
export function freshSecondsOf(headers: IncomingHttpHeaders, now: number): number {
  const seconds = lifetimeOf(headers, now) - (Number(headers.age) || 0);
  return Math.floor(Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, seconds || 0)));
}

function lifetimeOf(headers: IncomingHttpHeaders, now: number): number {
  const control = (headers['cache-control'] ?? '').toLowerCase();
  if (/\b(no-store|no-cache)\b/.test(control)) return 0;
  // This server serves many users with its copy: a shared cache.
  const [, seconds] =
    /\bs-maxage="?(\d{1,10})/.exec(control) ?? /\bmax-age="?(\d{1,10})/.exec(control) ?? [];
  if (seconds !== undefined) return Number(seconds);
  const expires = Date.parse(headers.expires ?? '');
  const date = Date.parse(headers.date ?? '');
  return (expires - (Number.isNaN(date) ? now : date)) / 1000;
}
