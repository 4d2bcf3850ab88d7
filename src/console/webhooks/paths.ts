/** The page of the sidebar. */
export const WEBHOOKS = '/settings/webhooks';
export const NEW = `${WEBHOOKS}/new`;
/** The page of a webhook. A form submitted to it changes the webhook. */
export const WEBHOOK = `${WEBHOOKS}/:id`;
/** Shows a signing secret once. */
export const SECRET = `${WEBHOOK}/secret`;
export const ROTATE = `${WEBHOOK}/rotate`;
export const TEST = `${WEBHOOK}/test`;
export const REDELIVER = `${WEBHOOK}/redeliver`;
export const ENABLE = `${WEBHOOK}/enable`;
export const DISABLE = `${WEBHOOK}/disable`;
/** Asks before a webhook is removed. */
export const REMOVE = `${WEBHOOK}/remove`;
