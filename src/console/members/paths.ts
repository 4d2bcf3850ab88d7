import { ADMINISTRATORS } from '../../scopes/roles.js';

/** The page of the sidebar. */
export const MEMBERS = '/settings/members';
export const INVITE = `${MEMBERS}/invite`;
export const RESEND = `${MEMBERS}/invitations/:id/resend`;
export const WITHDRAW = `${MEMBERS}/invitations/:id/withdraw`;
/** Under a segment of its own, so that no member can be called `invite`. */
export const MEMBER = `${MEMBERS}/of/:id`;
export const REMOVE = `${MEMBER}/remove`;

/** The access rule of the routes that change something. */
export const BY_ADMINISTRATORS = { page: MEMBERS, roles: ADMINISTRATORS } as const;
