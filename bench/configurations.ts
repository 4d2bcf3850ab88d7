import type { RequestTemplate } from './load.js';

/** As after `npm ci && npm start`: limits count, here up to more than a run sends. */
export const NEVER_REACHED: Readonly<Record<string, string>> = {
  RATE_LIMIT_TENANT_PER_HOUR: '999999999',
  RATE_LIMIT_KEY_PER_MINUTE: '999999999',
};

/** As people run it: behind a proxy, with metrics. */
export const BEHIND_PROXY: Readonly<Record<string, string>> = {
  ...NEVER_REACHED,
  TRUST_PROXY: '127.0.0.0/8,10.0.0.0/8,192.168.0.0/16,fd00::/8',
  METRICS_PORT: '9464',
};

/** A request as a proxy passes it on. */
export function forwarded(template: RequestTemplate): RequestTemplate {
  const added = { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https' };
  return { ...template, headers: { ...template.headers, ...added } };
}
