import type { Moment } from '../moments.js';
import type { WebhookFormErrors, WebhookFormValues } from './webhook-form.js';

interface Link {
  readonly text: string;
  readonly href: string;
}

interface Badge {
  readonly text: string;
  readonly tone: 'good' | 'warn' | 'bad' | 'plain';
}

interface Notice {
  readonly tone: 'done' | 'warning' | 'error';
  readonly text: string;
}

/** The list of an organization's webhooks. */
export interface WebhooksPage {
  readonly notice: string | undefined;
  /** The page for a new one; absent while the organization is suspended. */
  readonly create: string | undefined;
  readonly webhooks: readonly {
    readonly url: string;
    readonly href: string;
    readonly isFresh: boolean;
    /** The first types, and how many there are beside them. */
    readonly types: readonly string[];
    readonly more: number;
    readonly created: Moment;
    readonly badge: Badge;
  }[];
  readonly count: string;
  readonly first: string | undefined;
  readonly next: string | undefined;
}

/** A type of events that the form explains. */
interface KnownType {
  readonly type: string;
  readonly words: string;
}

/** The form for a new webhook. */
export interface NewWebhookPage {
  readonly csrf: string;
  readonly action: string;
  readonly back: string;
  readonly handle: string;
  readonly values: WebhookFormValues;
  readonly errors: WebhookFormErrors;
  readonly knownTypes: readonly KnownType[];
}

/** The page that shows a signing secret once. */
export interface WebhookSecretPage {
  readonly host: string;
  /** Absent if it was shown before. */
  readonly secret: string | undefined;
  readonly back: string;
  readonly list: string;
  /** The form that replaces the secret. */
  readonly rotate: string;
}

/** A delivery of the log. */
interface ShownDelivery {
  readonly id: string;
  readonly at: Moment;
  readonly type: string;
  readonly subject: string;
  readonly badge: Badge;
  /** The last answer in words; absent before the first attempt. */
  readonly answer: string | undefined;
  readonly attempts: string | undefined;
  /** The time of the next attempt, for one that waits after a failure. */
  readonly next: Moment | undefined;
}

/** The page of a webhook. */
export interface WebhookPage {
  readonly csrf: string;
  readonly header: {
    readonly title: string;
    readonly crumbs: readonly Link[];
    readonly badge: Badge;
  };
  readonly notice: Notice | undefined;
  /** Why it is disabled. */
  readonly disabled: string | undefined;
  readonly id: string;
  readonly url: string;
  readonly types: readonly string[];
  readonly created: Moment;
  readonly deliveries: readonly ShownDelivery[];
  readonly paging: {
    readonly count: string;
    readonly first: string | undefined;
    readonly next: string | undefined;
  };
  /** The addresses of its forms; absent while the organization is suspended. */
  readonly actions: WebhookActions | undefined;
  readonly knownTypes: readonly KnownType[];
}

export interface WebhookActions {
  /** Absent for a disabled one, which is sent nothing. */
  readonly send:
    | {
        readonly test: string;
        readonly redeliver: string;
        readonly since: string;
        readonly sinceError: string | undefined;
      }
    | undefined;
  readonly edit: {
    readonly action: string;
    readonly seen: string;
    readonly values: WebhookFormValues;
    readonly errors: WebhookFormErrors;
  };
  readonly rotate: {
    readonly action: string;
    readonly handle: string;
    readonly overlaps: readonly {
      readonly value: string;
      readonly text: string;
      readonly isSelected: boolean;
    }[];
  };
  /** Present for a disabled one. */
  readonly enable: string | undefined;
  readonly disable: string | undefined;
  readonly remove: string;
}

export interface WebhookViews {
  readonly webhooks: WebhooksPage;
  readonly 'new-webhook': NewWebhookPage;
  readonly 'webhook-secret': WebhookSecretPage;
  readonly webhook: WebhookPage;
}
