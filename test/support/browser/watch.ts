import { expect } from '@jest/globals';
import type { Page } from 'playwright-core';

import { until } from '../app/until.js';

/**
 * Where a page tries to go, and what a policy keeps it from. That is all there is to see of hosts that
 * cannot be reached from here, and of apps that are not installed.
 */
export function watch(page: Page) {
  const requested: string[] = [];
  const refused: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('requestfailed', (request) => {
    if (request.failure()?.errorText.includes('CSP')) refused.push(request.url());
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) refused.push(message.text());
  });
  return {
    refused,
    untilAt: async (start: string) => {
      const what = `a request for ${start}`;
      await until(() => requested.some((url) => url.startsWith(start)), { what });
      expect(refused).toEqual([]);
    },
  };
}
