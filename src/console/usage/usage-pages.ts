import type { EntityManager } from 'typeorm';

import { findNames, type Names } from '../../audit-log/index.js';
import type { RateLimits } from '../../rate-limits/index.js';
import { singleValue } from '../../http/body/form.js';
import {
  createUsageHistory,
  SPAN_NAMES,
  totalOf,
  usageRangeOf,
  type Span,
  type UsageOfSubject,
} from '../../usage/index.js';
import type { OrganizationContext } from '../organization-context.js';
import type { SettingsRoute } from '../settings-gate.js';
import type { ShowPage } from '../settings-views.js';
import { drawUsage, numberText } from './usage-chart.js';
import type { UsagePage } from './usage-page.js';
import { COSTS, showBudget } from './usage-view.js';

interface Dependencies {
  readonly dataSource: { readonly manager: EntityManager };
  readonly rateLimits: Pick<RateLimits, 'tenantUsage'>;
  readonly showPage: ShowPage;
}

const PAGE = '/settings/usage';
const MOST_SHOWN = 25;
const SPAN_TEXTS: Readonly<Record<Span, string>> = { hour: 'Last 24 hours', day: 'Last 30 days' };
const SUBJECT = /^(?:key_[0-9A-Z]{26}|cli_\w{1,64})$/;

/** `/settings/usage`: what is left of the budgets, and the history of requests. */
export function createUsagePages({
  dataSource: { manager },
  rateLimits,
  showPage,
}: Dependencies): SettingsRoute[] {
  const history = createUsageHistory(manager);

  return [
    {
      method: 'GET',
      path: PAGE,
      access: { page: PAGE },
      async handle(ctx) {
        const at = ctx.state.organization;
        const search = new URLSearchParams(ctx.querystring);
        const per = SPAN_NAMES.find((span) => span === singleValue(search, 'per')) ?? 'hour';
        const wanted = singleValue(search, 'key') ?? '';
        const key = SUBJECT.test(wanted) ? wanted : undefined;
        const range = usageRangeOf({ per });
        const points = await history.read(at, key, range);
        const busiest = await history.busiest(at, range, MOST_SHOWN);
        const ids = [...busiest.map(({ id }) => id), ...(key === undefined ? [] : [key])];
        const names = await findNames(manager, at.tenantId, ids);
        const { tenant, publishable } = rateLimits.tenantUsage(at);
        const hrefOf = (more: Readonly<Record<string, string>>) => at.href(PAGE, more);
        showPage(ctx, 'usage', {
          title: 'Usage',
          tenantName: at.tenantName,
          budgets: [
            showBudget('Secret keys, machines and apps', tenant),
            showBudget('Publishable keys', publishable),
          ],
          chart: drawUsage(points, per),
          spans: SPAN_NAMES.map((span) => ({
            text: SPAN_TEXTS[span],
            href: hrefOf({ per: span, ...(key !== undefined && { key }) }),
            isCurrent: span === per,
          })),
          subject:
            key === undefined
              ? undefined
              : { name: names.get(key) ?? key, id: key, all: hrefOf({ per }) },
          busiest: busiest.map((subject) => showSubject(subject, names, per, at)),
          costs: COSTS,
        });
      },
    },
  ];
}

function showSubject(
  { id, answers }: UsageOfSubject,
  names: Names,
  per: Span,
  { href }: OrganizationContext,
): UsagePage['busiest'][number] {
  const counted = (text: '2xx' | '4xx' | '401/403' | '429') => ({
    text,
    count: numberText(answers[text]),
    isAmber: text !== '2xx' && answers[text] > 0,
  });
  return {
    name: names.get(id) ?? id,
    id,
    href: href(PAGE, { per, key: id }),
    total: numberText(totalOf(answers)),
    counts: [counted('2xx'), counted('4xx'), counted('401/403'), counted('429')],
  };
}
