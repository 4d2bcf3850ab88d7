/** The page that asks whether to leave an organization. */
export const LEAVE = '/settings/profile/leave';
