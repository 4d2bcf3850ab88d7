import type { Environment, KeyKind } from '../../credentials/kinds.js';
import type { CredentialStatus } from '../../credentials/kinds.js';
import type { Moment } from '../moments.js';
import type { UsageChart } from '../usage/usage-chart.js';
import type { BoundRecord } from './bound-records.js';
import type { KeyFormErrors, KeyFormValues } from './key-form.js';
import type { KeySection } from './key-section.js';
import type { ScopeCell, ScopeSummary } from './scope-words.js';

interface Link {
  readonly text: string;
  readonly href: string;
}

interface Option {
  readonly value: string;
  readonly text: string;
  readonly isSelected: boolean;
}

export interface Badge {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'plain';
}

/** A key as a row of a list. */
export interface KeyRow {
  readonly id: string;
  readonly name: string;
  /** The page of the key; absent for those who may not manage it. */
  readonly href: string | undefined;
  /** Whether it was just made. */
  readonly isFresh: boolean;
  readonly isOver: boolean;
  readonly maskedKey: string;
  /** The whole key, if it may be read again. */
  readonly key: string | undefined;
  readonly scopes: ScopeSummary;
  /** The names of its spaces; `undefined` for all. */
  readonly spaces: readonly string[] | undefined;
  readonly created: Moment;
  readonly creator: string | undefined;
  readonly used: Moment | undefined;
  readonly usedFrom: string | undefined;
  /** Whether it was never used, for long. */
  readonly isIdle: boolean;
  readonly expires: Moment | undefined;
  readonly isExpiring: boolean;
  readonly badge: Badge;
  /** Shown beside the name, where a list has both environments. */
  readonly environment: Environment | undefined;
  readonly menu: readonly Link[];
}

/** The keys of one kind. */
export interface KeyPart {
  readonly kind: KeyKind;
  readonly title: string;
  readonly lead: string;
  readonly isReadable: boolean;
  readonly rows: readonly KeyRow[];
  readonly count: string;
  readonly first: string | undefined;
  readonly next: string | undefined;
}

/** A page of keys. */
export interface KeysPage {
  readonly header: {
    readonly title: string;
    readonly lead: string;
    readonly primary: Link | undefined;
  };
  readonly notice: string | undefined;
  /** Absent if there is nothing to filter. */
  readonly filters:
    | {
        readonly action: string;
        readonly hidden: readonly { readonly name: string; readonly value: string }[];
        readonly search: string;
        readonly selects: readonly {
          readonly name: string;
          readonly label: string;
          readonly options: readonly Option[];
        }[];
        readonly isUnused: boolean;
        readonly clear: string | undefined;
      }
    | undefined;
  readonly parts: readonly KeyPart[];
  /** Whether the keys of a part are named by the page itself. */
  readonly isOwn: boolean;
  /** The state of a page without keys. */
  readonly empty:
    | {
        readonly title: string;
        readonly text: string | undefined;
        readonly primary: Link | undefined;
        readonly links: readonly Link[];
      }
    | undefined;
  /** Explains `introspect` and browser origins, on the page of machines. */
  readonly isForMachines: boolean;
  readonly origins: readonly string[];
}

/** A scope in the form. */
export interface FormScope extends ScopeCell {
  readonly isTicked: boolean;
  /** The kinds of keys that can carry it, separated by blanks. */
  readonly kinds: string;
  /** Why it cannot be chosen; `undefined` if it can. */
  readonly reason: string | undefined;
}

/** The form for a new key. */
export interface NewKeyPage {
  /** Why boxes cannot be ticked. Tooltips reach neither keyboard nor touch. */
  readonly reasons: readonly { readonly reason: string; readonly scopes: readonly string[] }[];
  readonly header: { readonly title: string; readonly crumbs: readonly Link[] };
  readonly action: string;
  readonly back: string;
  readonly noun: KeySection['noun'];
  readonly values: KeyFormValues;
  readonly errors: KeyFormErrors;
  /** The choices of a personal token; empty for other kinds. */
  readonly access: readonly {
    readonly value: string;
    readonly title: string;
    readonly text: string;
    readonly scopes: readonly string[];
    readonly isSelected: boolean;
  }[];
  readonly kinds: readonly {
    readonly value: KeyKind;
    readonly title: string;
    readonly sentence: string;
    readonly isSelected: boolean;
  }[];
  readonly rows: readonly {
    readonly title: string;
    readonly cells: readonly (FormScope | undefined)[];
  }[];
  readonly others: readonly { readonly title: string; readonly cells: readonly FormScope[] }[];
  readonly summary: string;
  readonly spaces: readonly {
    readonly id: string;
    readonly name: string;
    readonly isTicked: boolean;
  }[];
  readonly address: string;
  readonly lifetimes: readonly Option[];
  readonly defaultLimit: string;
  /** Whether it can have a limit of its own. */
  readonly hasLimit: boolean;
  /** The kinds that can be bound to records; empty without rows for bindings. */
  readonly boundKinds: readonly string[];
  readonly bindingRows: readonly BoundRecord[];
  readonly recordTypes: readonly string[];
  /** Records to choose from. */
  readonly records: readonly BoundRecord[];
}

/** The page that shows a secret once. */
export interface KeySecretPage {
  readonly noun: KeySection['noun'];
  readonly name: string;
  /** `undefined` if it was shown already. */
  readonly secret: string | undefined;
  readonly maskedKey: string;
  readonly variable: string;
  readonly curl: string;
  readonly isReadable: boolean;
  readonly back: string;
  readonly key: string;
}

/** An entry of the audit log about a key. */
interface KeyEvent {
  readonly at: Moment;
  readonly text: string;
  readonly actor: string;
  readonly address: string | undefined;
  readonly occurrences: string;
}

/** The page of a key. */
export interface KeyPage {
  readonly header: {
    readonly title: string;
    readonly crumbs: readonly Link[];
    readonly badge: Badge;
  };
  readonly notice: { readonly tone: string; readonly text: string } | undefined;
  readonly noun: KeySection['noun'];
  readonly id: string;
  readonly name: string;
  readonly status: CredentialStatus;
  readonly kind: string;
  readonly isReadable: boolean;
  readonly environment: string;
  readonly maskedKey: string;
  readonly key: string | undefined;
  readonly scopes: readonly string[];
  readonly spaces: string;
  readonly allowedIps: readonly string[];
  readonly bindings: readonly BoundRecord[];
  readonly limit: string;
  readonly created: Moment;
  readonly creator: string;
  readonly used: Moment | undefined;
  readonly usedFrom: string | undefined;
  readonly expires: Moment | undefined;
  readonly replaces: Link | undefined;
  readonly replacedBy: Link | undefined;
  readonly charts: readonly { readonly title: string; readonly chart: UsageChart }[];
  readonly refusals: readonly KeyEvent[];
  readonly events: readonly KeyEvent[];
  readonly edit:
    | {
        readonly action: string;
        readonly seen: string;
        readonly values: Readonly<
          Record<'name' | 'allowedIps' | 'expires' | 'expiresOn' | 'rateLimit', string>
        >;
        readonly errors: KeyFormErrors;
        readonly hasLimit: boolean;
        readonly lifetimes: readonly Option[];
      }
    | undefined;
  readonly rotate:
    | { readonly action: string; readonly handle: string; readonly overlaps: readonly Option[] }
    | undefined;
  readonly end: { readonly action: string; readonly at: Moment } | undefined;
  readonly revoke:
    | {
        readonly action: string;
        readonly needsName: boolean;
        readonly error: string | undefined;
        readonly text: string;
      }
    | undefined;
}

/** The templates of the pages of keys. */
export interface KeyViews {
  readonly keys: KeysPage;
  readonly 'new-key': NewKeyPage;
  readonly 'key-secret': KeySecretPage;
  readonly key: KeyPage;
}
