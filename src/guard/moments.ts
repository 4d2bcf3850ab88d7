/**
 * A time by two clocks. The monotonic one stands still while a machine is suspended, and the other one can be set. A
 * duration is the longer one of both, so that a verdict is never taken for younger than it is.
 */
export interface Moment {
  /** Milliseconds of the monotonic clock. */
  readonly monotonic: number;
  /** Milliseconds since the epoch. */
  readonly wall: number;
}

export function now(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}

/** Milliseconds between two moments. */
export function between(from: Moment, to: Moment): number {
  return Math.max(to.monotonic - from.monotonic, to.wall - from.wall);
}

/** A moment by both clocks, later by some milliseconds. */
export function after({ monotonic, wall }: Moment, milliseconds: number): Moment {
  return { monotonic: monotonic + milliseconds, wall: wall + milliseconds };
}

/** Whether a moment is over by either clock. */
export function isOver(end: Moment, current: Moment): boolean {
  return current.monotonic >= end.monotonic || current.wall >= end.wall;
}
