/** A time as pages show it, with the template `time`. */
export interface Moment {
  /** For programs (HTML's `datetime`). */
  readonly iso: string;
  /** In UTC. The script makes it local. */
  readonly text: string;
  /** Whether the script shows it as "3 hours ago". */
  readonly isRelative?: boolean;
}

type Precision = 'day' | 'minute';

const formats = new Map<Precision, Intl.DateTimeFormat>();

/** perf: made at the first use, because making them takes a hundredth of a start. */
function format(date: Date, precision: Precision): string {
  let found = formats.get(precision);
  if (found === undefined) {
    found = new Intl.DateTimeFormat('en-GB', {
      dateStyle: 'medium',
      timeZone: 'UTC',
      ...(precision === 'minute' && { timeStyle: 'short' }),
    });
    formats.set(precision, found);
  }
  return found.format(date);
}

/** The day of a time, without the time of day. */
export function day(date: Date): Moment {
  return { iso: date.toISOString().slice(0, 10), text: format(date, 'day') };
}

/** A time to the minute. */
export function minute(date: Date): Moment {
  return { iso: date.toISOString(), text: `${format(date, 'minute')} UTC` };
}

/** A time that the script shows by its distance from now. */
export function ago(date: Date): Moment {
  return { ...minute(date), isRelative: true };
}
