export const LIST = '/settings/connected-apps';
/** The visitor's own apps in all organizations. */
export const EVERYWHERE = '/settings/apps';
export const APP = `${LIST}/app`;
export const BLOCKED = `${LIST}/blocked`;
export const END = `${LIST}/:id/end`;
export const DISCONNECT = `${LIST}/disconnect`;
export const BLOCK = `${LIST}/block`;
