import type { Moment } from '../moments.js';

/** The list of an organization's spaces. */
export interface SpacesPage {
  readonly notice: string | undefined;
  /** The page for a new one; absent for those who may not create any. */
  readonly create: string | undefined;
  /** Whether ids and dates are shown, beside names. */
  readonly isDetailed: boolean;
  readonly spaces: readonly {
    readonly id: string;
    readonly name: string;
    readonly isDefault: boolean;
    readonly created: Moment;
    /** The page that renames it; absent for those who may not. */
    readonly rename: string | undefined;
  }[];
  readonly count: string;
  readonly first: string | undefined;
  readonly next: string | undefined;
}

/** The form for a new space, or for another name. */
export interface SpacePage {
  readonly csrf: string;
  readonly action: string;
  readonly back: string;
  readonly heading: string;
  readonly lead: string;
  readonly submit: string;
  /** The name that the form was opened with. */
  readonly seen: string | undefined;
  readonly typed: string;
  readonly fault: string | undefined;
}
