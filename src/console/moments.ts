/** A time as pages show it, with the template `time`. */
export interface Moment {
  /** For programs (HTML's `datetime`). */
  readonly iso: string;
  /** In UTC. The script makes it local. */
  readonly text: string;
  /** Whether the script shows it as "3 hours ago". */
  readonly isRelative?: boolean;
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' });
const MINUTE = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'short',
  timeZone: 'UTC',
});

/** The day of a time, without the time of day. */
export function day(date: Date): Moment {
  return { iso: date.toISOString().slice(0, 10), text: DAY.format(date) };
}

/** A time to the minute. */
export function minute(date: Date): Moment {
  return { iso: date.toISOString(), text: `${MINUTE.format(date)} UTC` };
}

/** A time that the script shows by its distance from now. */
export function ago(date: Date): Moment {
  return { ...minute(date), isRelative: true };
}
