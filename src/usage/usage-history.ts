import type { EntityManager } from 'typeorm';

import type { Environment } from '../credentials/kinds.js';
import { prepared } from '../db/prepared.js';
import type { UsageRange } from './usage-range.js';

/** Numbers of answers, by their class. Answers of 5xx are not counted. */
export interface AnswerCounts {
  readonly '2xx': number;
  /** Without 401, 403 and 429. */
  readonly '4xx': number;
  readonly '401/403': number;
  readonly '429': number;
}

/** The answers of an hour or a day. */
export interface UsagePoint {
  readonly start: Date;
  readonly answers: AnswerCounts;
}

/** A key or an app with its answers. */
export interface UsageOfSubject {
  /** The id of a key, a personal token, or an app. */
  readonly id: string;
  readonly answers: AnswerCounts;
}

/** The tenant and environment whose usage is read. */
export interface UsageOwner {
  readonly tenantId: string;
  readonly environment: Environment;
}

/** Reads how many requests were answered. Counts appear within seconds of an answer, see `usage-counts`. */
export interface UsageHistory {
  /**
   * The usage of each span of a range, oldest first, also of spans without any.
   * @param subject the id of a key or an app; all of the tenant's together if `undefined`
   */
  read(
    owner: UsageOwner,
    subject: string | undefined,
    range: UsageRange,
  ): Promise<readonly UsagePoint[]>;
  /** The keys and apps with the most answers in a range, busiest first. */
  busiest(
    owner: UsageOwner,
    range: Pick<UsageRange, 'from' | 'to'>,
    limit: number,
  ): Promise<readonly UsageOfSubject[]>;
}

/** Bounds the rows that are summed to find the busiest. */
const MAX_SUMMED = 200_000;

const SUMS = `sum(successes)::float8 AS "2xx", sum(client_errors)::float8 AS "4xx", sum(denials)::float8 AS "401/403",
  sum(rate_limited)::float8 AS "429"`;

type Sums = { readonly [Class in keyof AnswerCounts]: number };

const NONE: AnswerCounts = { '2xx': 0, '4xx': 0, '401/403': 0, '429': 0 };

const READ = (per: UsageRange['per']) => ({
  name: `usage-by-${per}`,
  text: `SELECT (extract(epoch FROM date_trunc('${per}', hour, 'UTC')) * 1000)::float8 AS start, ${SUMS}
    FROM usage_counts
    WHERE tenant_id = $1 AND environment = $2 AND subject = $3 AND hour >= $4 AND hour < $5
    GROUP BY 1 ORDER BY 1`,
});

const BUSIEST = {
  name: 'usage-busiest',
  text: `SELECT subject AS id, ${SUMS}
    FROM (SELECT * FROM usage_counts
      WHERE tenant_id = $1 AND environment = $2 AND hour >= $3 AND hour < $4 AND subject <> $1 LIMIT ${MAX_SUMMED}) AS counts
    GROUP BY subject ORDER BY sum(successes + client_errors + denials + rate_limited) DESC, subject LIMIT $5`,
};

export function createUsageHistory(manager: EntityManager): UsageHistory {
  const run = prepared(manager);
  return {
    async read({ tenantId, environment }, subject, { per, ms, from, to }) {
      const rows = await run<Sums & { readonly start: number }>(READ(per), [
        tenantId,
        environment,
        subject ?? tenantId,
        new Date(from),
        new Date(to),
      ]);
      const known = new Map(rows.map(({ start, ...answers }) => [start, answers]));
      return Array.from({ length: (to - from) / ms }, (_, index) => {
        const start = from + index * ms;
        return { start: new Date(start), answers: known.get(start) ?? NONE };
      });
    },
    async busiest({ tenantId, environment }, { from, to }, limit) {
      const range = [new Date(from), new Date(to)];
      const rows = await run<Sums & { readonly id: string }>(BUSIEST, [
        tenantId,
        environment,
        ...range,
        limit,
      ]);
      return rows.map(({ id, ...answers }) => ({ id, answers }));
    },
  };
}

/** @returns the number of all counted answers */
export function totalOf(answers: AnswerCounts): number {
  return answers['2xx'] + answers['4xx'] + answers['401/403'] + answers['429'];
}

/** @returns the sums of several spans */
export function sumOf(points: readonly { readonly answers: AnswerCounts }[]): AnswerCounts {
  const sum = (of: keyof AnswerCounts) =>
    points.reduce((total, { answers }) => total + answers[of], 0);
  return { '2xx': sum('2xx'), '4xx': sum('4xx'), '401/403': sum('401/403'), '429': sum('429') };
}
