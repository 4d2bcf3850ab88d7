/** The page that asks whether to leave an organization. */
export const LEAVE = '/settings/profile/leave';
/** The page that a confirmation at a provider leads back to. */
export const CONFIRM = '/settings/confirm';
