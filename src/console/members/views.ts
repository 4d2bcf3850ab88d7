import type { Moment } from '../moments.js';

/** A member as the list shows them. */
export interface ShownMember {
  readonly name: string | null;
  readonly email: string;
  readonly role: string;
  readonly lastSignIn: Moment | undefined;
  readonly tokens: number;
  readonly apps: number;
  readonly isVisitor: boolean;
  /** The page that changes or removes the member; absent for visitors who may not. */
  readonly href: string | undefined;
}

export interface ShownInvitation {
  readonly email: string;
  readonly role: string;
  readonly expires: Moment;
  readonly isExpired: boolean;
  readonly resend: string;
  readonly withdraw: string;
}

/** The link of an invitation, for an administrator to hand over. */
export interface ShownLink {
  readonly email: string;
  readonly link: string;
}

export interface MembersPage {
  readonly notice: string | undefined;
  /** Says what somebody else has changed meanwhile. */
  readonly conflict: string | undefined;
  /** Links to copy, if no mail is sent. They are shown once. */
  readonly links: readonly ShownLink[];
  readonly action: string;
  readonly search: string;
  /** The list without the search; absent without one. */
  readonly all: string | undefined;
  /** Hidden fields of the search form. */
  readonly hidden: readonly { readonly name: string; readonly value: string }[];
  readonly members: readonly ShownMember[];
  /** Only names are shown to visitors who neither manage nor oversee. */
  readonly isDetailed: boolean;
  /** Such as `25 members on this page`. */
  readonly count: string;
  readonly first: string | undefined;
  readonly next: string | undefined;
  /** The page of the form; absent for visitors who may not invite. */
  readonly invite: string | undefined;
  /** Absent for visitors who may not invite. */
  readonly invitations: readonly ShownInvitation[] | undefined;
  /** Without mail, a new link is shown instead of sent. */
  readonly isMailSent: boolean;
}

interface RoleChoice {
  readonly value: string;
  readonly text: string;
  readonly hint: string;
  readonly isChosen: boolean;
}

/** Submits `emails`, one per line, and `role`. */
export interface InvitePage {
  readonly action: string;
  readonly back: string;
  readonly emails: string;
  readonly roles: readonly RoleChoice[];
  readonly isMailSent: boolean;
  readonly errors: Readonly<Partial<Record<'form' | 'emails' | 'role', string>>>;
}

/** A member. Submits `role`, with `confirmed` once the page has said what is cut; or `email` to remove. */
export interface MemberPageView {
  readonly back: string;
  readonly name: string | null;
  readonly email: string;
  readonly role: string;
  readonly isVisitor: boolean;
  readonly notice: string | undefined;
  readonly canChange: boolean;
  /** Reason for which the member can neither be changed nor removed, unless the whole organization is closed. */
  readonly obstacle: string | undefined;
  readonly change: {
    readonly action: string;
    /** The present role, by which the form knows whether somebody else has changed it. */
    readonly seen: string;
    readonly roles: readonly RoleChoice[];
    /** Access that the chosen role removes. If there is some, the form asks again. */
    readonly cut: string | undefined;
    readonly error: string | undefined;
  };
  readonly remove: {
    readonly action: string;
    readonly ends: readonly string[];
    readonly typed: string;
    readonly error: string | undefined;
  };
}

/** The pages of members, by the names of their templates. */
export interface MemberViews {
  readonly members: MembersPage;
  readonly invite: InvitePage;
  readonly member: MemberPageView;
}
