/** The page of an organization's name and ids. */
export interface GeneralPage {
  readonly csrf: string;
  readonly action: string;
  readonly notice: string | undefined;
  /** The message that stands above the form. */
  readonly problem: string | undefined;
  /** Whether the visitor may rename the organization. */
  readonly canRename: boolean;
  readonly name: string;
  /** Content of the field, and its fault. */
  readonly typed: string;
  readonly fault: string | undefined;
  readonly ids: readonly {
    readonly title: string;
    readonly value: string;
    readonly hint: string;
  }[];
}
