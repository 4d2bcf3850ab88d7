/** The page of the sidebar. */
export const SPACES = '/settings/spaces';
export const NEW = `${SPACES}/new`;
/** The page of a space. */
export const RENAME = `${SPACES}/:id/rename`;
