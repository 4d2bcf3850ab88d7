import { minute, day, type Moment } from '../moments.js';
import {
  sumOf,
  totalOf,
  type AnswerCounts,
  type Span,
  type UsagePoint,
} from '../../usage/index.js';

/** The classes of answers, from the bottom of a bar to its top. */
const CLASSES = [
  { of: '2xx', tone: 'ok', text: 'Answered (2xx)' },
  { of: '4xx', tone: 'faulty', text: 'Faulty requests (4xx)' },
  { of: '401/403', tone: 'denied', text: 'Refused (401, 403)' },
  { of: '429', tone: 'limited', text: 'Over a limit (429)' },
] as const;

/** Units of the drawing. It is stretched to the width of the page, so its text is outside of it. */
const HEIGHT = 160;
const BAR = 10;
const GAP = 3;

/** A limit that is this many times higher than the highest bar would make the bars invisible. */
const MAX_HEADROOM = 4;

let numbers: Intl.NumberFormat | undefined;

/** A number as pages show it. */
export function numberText(number: number): string {
  // Made at its first use, because loading the locale's data takes 10 ms.
  numbers ??= new Intl.NumberFormat('en');
  return numbers.format(number);
}

/** Data of the template `usage-chart`: bars of answers by hour or day, and a table of the same. */
export interface UsageChart {
  /** For readers of the page who do not see the drawing. */
  readonly summary: string;
  readonly width: number;
  readonly height: number;
  readonly top: string;
  readonly bars: readonly {
    readonly x: number;
    readonly width: number;
    readonly title: string;
    readonly parts: readonly {
      readonly tone: string;
      readonly y: number;
      readonly height: number;
    }[];
  }[];
  readonly limit: { readonly y: number | undefined; readonly text: string } | undefined;
  readonly legend: readonly {
    readonly tone: string;
    readonly text: string;
    readonly total: string;
  }[];
  readonly first: Moment | undefined;
  readonly last: Moment | undefined;
  readonly span: string;
  /** The spans with answers, newest first. */
  readonly rows: readonly {
    readonly start: Moment;
    readonly total: string;
    readonly counts: readonly { readonly text: string; readonly count: string }[];
  }[];
}

/**
 * Draws the history of usage on the server.
 * @param limit the requests that are possible in a span, drawn as a line where it fits; absent for no limit
 */
export function drawUsage(points: readonly UsagePoint[], per: Span, limit?: number): UsageChart {
  const totals = points.map(({ answers }) => totalOf(answers));
  const highest = Math.max(1, ...totals);
  const isLimitShown = limit !== undefined && limit <= highest * MAX_HEADROOM;
  const top = niceAbove(isLimitShown ? Math.max(highest, limit) : highest);
  const sums = sumOf(points);
  const momentOf = (start: Date) => (per === 'hour' ? minute(start) : day(start));
  const [first, last] = [points[0], points.at(-1)];
  return {
    summary: summaryOf(sums, points.length, per),
    width: points.length * (BAR + GAP),
    height: HEIGHT,
    top: numberText(top),
    bars: points.map(({ start, answers }, index) => ({
      x: index * (BAR + GAP),
      width: BAR,
      title: `${momentOf(start).text}: ${inWords(answers)}`,
      parts: partsOf(answers, top),
    })),
    limit: limit === undefined ? undefined : limitOf(limit, isLimitShown ? top : undefined, per),
    legend: CLASSES.map(({ of, tone, text }) => ({ tone, text, total: numberText(sums[of]) })),
    first: first && momentOf(first.start),
    last: last && momentOf(last.start),
    span: per === 'hour' ? 'Hour' : 'Day',
    rows: points
      .filter(({ answers }) => totalOf(answers) > 0)
      .toReversed()
      .map(({ start, answers }) => ({
        start: momentOf(start),
        total: numberText(totalOf(answers)),
        counts: CLASSES.map(({ of }) => ({ text: of, count: numberText(answers[of]) })),
      })),
  };
}

function partsOf(answers: AnswerCounts, top: number) {
  let y = HEIGHT;
  return CLASSES.flatMap(({ of, tone }) => {
    if (answers[of] === 0) return [];
    // Thin, but visible: one refusal among thousands is what one looks for.
    const height = Math.max(2, Math.round((answers[of] / top) * HEIGHT * 10) / 10);
    y = Math.max(0, y - height);
    return [{ tone, y, height }];
  });
}

function limitOf(limit: number, top: number | undefined, per: Span) {
  const y = top === undefined ? undefined : HEIGHT - (limit / top) * HEIGHT;
  return {
    y,
    text: `Limit: ${numberText(limit)} requests ${per === 'hour' ? 'an hour' : 'a day'}`,
  };
}

function summaryOf(sums: AnswerCounts, spans: number, per: Span): string {
  return `Requests in the last ${spans} ${per}s: ${inWords(sums)}.`;
}

function inWords(answers: AnswerCounts): string {
  const counted = CLASSES.filter(({ of }) => answers[of] > 0);
  if (counted.length === 0) return 'none';
  return counted.map(({ of }) => `${numberText(answers[of])} × ${of}`).join(', ');
}

/** The next of 1, 2, 5, 10, 20, 50, … that is not below. */
function niceAbove(number: number): number {
  const power = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= number) ?? number;
}
