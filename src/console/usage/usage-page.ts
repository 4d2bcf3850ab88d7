import type { UsageChart } from './usage-chart.js';
import type { ShownBudget } from './usage-view.js';

/** The page of usage. */
export interface UsagePage {
  readonly tenantName: string;
  readonly budgets: readonly ShownBudget[];
  readonly chart: UsageChart;
  readonly spans: readonly {
    readonly text: string;
    readonly href: string;
    readonly isCurrent: boolean;
  }[];
  /** The key or app that the chart shows; absent for all. */
  readonly subject:
    { readonly name: string; readonly id: string; readonly all: string } | undefined;
  readonly busiest: readonly {
    readonly name: string;
    readonly id: string;
    readonly href: string;
    readonly total: string;
    readonly counts: readonly {
      readonly text: string;
      readonly count: string;
      readonly isAmber: boolean;
    }[];
  }[];
  readonly costs: readonly { readonly what: string; readonly units: number }[];
}
