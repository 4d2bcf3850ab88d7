/** The pages that links in mails lead to. */
export const CONFIRM_PATH = '/confirm-email';
export const INVITATION_PATH = '/invitation';
export const RESET_PATH = '/reset-password';

/** The page that asks for the address of a forgotten password. */
export const FORGOTTEN_PATH = '/forgot-password';
