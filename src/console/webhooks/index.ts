import type { SettingsRoute } from '../settings-gate.js';
import type { WebhookPageDependencies } from './dependencies.js';
import { createWebhookListRoutes } from './list-page.js';
import { createNewWebhookRoutes } from './new-pages.js';
import { createWebhookDesk } from './webhook-desk.js';
import { createWebhookRoutes } from './webhook-routes.js';

interface Dependencies
  extends
    Omit<WebhookPageDependencies, 'desk'>,
    Omit<Parameters<typeof createWebhookDesk>[0], 'isFetchable'> {
  readonly outbound: { readonly isFetchable: (url: string) => boolean };
}

/** The pages of webhooks. */
export function createWebhookSettings(dependencies: Dependencies): SettingsRoute[] {
  const { isFetchable } = dependencies.outbound;
  const parts = {
    ...dependencies,
    desk: createWebhookDesk({ ...dependencies, isFetchable }),
  };
  return [
    ...createWebhookListRoutes(parts),
    ...createNewWebhookRoutes(parts),
    ...createWebhookRoutes(parts),
  ];
}
