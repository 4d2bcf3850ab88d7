/** A link of the frame. */
interface FrameLink {
  readonly title: string;
  readonly href: string;
  readonly isCurrent: boolean;
}

/** An organization in the switcher. */
interface FrameOrganization {
  readonly name: string;
  readonly role: string;
  readonly href: string;
  readonly isCurrent: boolean;
  readonly isSuspended: boolean;
}

/** The frame of a page for a signed-in user: the sidebar, and the bar on top. */
export interface SignedInFrame {
  readonly email: string;
  /** The action of the sign-out form. */
  readonly signOut: string;
  /** The CSRF token, for that form and for API calls from the page. */
  readonly csrf: string;
  /** The pages that the role may see, by group. */
  readonly groups: readonly { readonly title: string; readonly pages: readonly FrameLink[] }[];
  /**
   * The organization of the page; absent for a user who belongs to none. On pages of the user's own account,
   * `isSuspended` is false: they can be used as ever.
   */
  readonly organization:
    { readonly name: string; readonly role: string; readonly isSuspended: boolean } | undefined;
  /** All organizations of the user; empty if there is only one. */
  readonly organizations: readonly FrameOrganization[];
  /** The switch between live and test; empty for a user without an organization. */
  readonly environments: readonly FrameLink[];
  /** The text of the coloured strip in test; absent in live. */
  readonly strip: string | undefined;
  /** Whether the page shows a form again that was sent after the session had ended. */
  readonly isRestored: boolean;
  /** The page of the command palette; absent for a user without an organization. */
  readonly search: string | undefined;
}
