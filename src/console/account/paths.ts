/** The page of the visitor's account. */
export const PROFILE = '/settings/profile';
/** The targets of its forms. */
export const NAME = `${PROFILE}/name`;
export const EMAIL = `${PROFILE}/email`;
export const PASSWORD = `${PROFILE}/password`;
export const LINK_PROVIDER = `${PROFILE}/link-provider`;
export const UNLINK_PROVIDER = `${PROFILE}/unlink-provider`;
/** The page that asks whether to leave an organization. */
export const LEAVE = `${PROFILE}/leave`;
/** The page that a confirmation at a provider leads back to. */
export const CONFIRM = '/settings/confirm';
