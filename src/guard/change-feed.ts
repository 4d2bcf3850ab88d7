import type { IncomingMessage } from 'node:http';

import type { Connection } from './connection.js';
import { after, now, type Moment } from './moments.js';

/** Receives what the feed says. */
export interface FeedListener {
  /** Subjects were changed by a transaction that is not newer than the position. */
  onChange(subjects: readonly string[], position: string): void;
  /** Changes may be missing. */
  onReset(): void;
  /** Everything that was committed before this moment was passed on. */
  onBeat(until: Moment): void;
  /** The stream is gone. Changes are missing from now on. */
  onLost(): void;
}

/** The stream of changes, opened again whenever it ends. */
export interface ChangeFeed {
  /** Begins to follow, at the first call. */
  start(): void;
  close(): void;
}

const PATH = '/api/v1/verify/changes';
/** A beat is due every 250 ms. A stream without one for this long is given up. */
const SILENT_MS = 2000;
/** Waits before the stream is opened again, doubled after each failure. */
const RETRY_MS = { least: 100, most: 5000 } as const;
const MAX_PARTED_MS = 500;
/** A change names at most 20,000 subjects. */
const MAX_BLOCK = 4_000_000;

export function createChangeFeed(
  connection: Connection,
  listener: FeedListener,
  onError: (error: Error) => void,
): ChangeFeed {
  let isStarted = false;
  let isClosed = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let end = (): void => undefined;

  function follow(): void {
    // The server counts from the time at which it received the request, which is later.
    const startedAt = now();
    let isOver = false;
    const lose = (reason: string) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      end();
      listener.onLost();
      if (isClosed) return;
      if (failures > 0) onError(new Error(`The changes cannot be followed: ${reason}`));
      timer = setTimeout(follow, delayAfter(failures)).unref();
      failures += 1;
    };
    const expectMore = () => {
      clearTimeout(timer);
      timer = setTimeout(() => lose('no beat came'), SILENT_MS).unref();
    };
    const readEvents = createEventReader((name, data) => {
      if (isOver) return;
      if (name === 'beat') failures = 0;
      if (haveClocksParted(startedAt)) lose('the clock was set, or the machine was suspended');
      else if (!passOn(listener, startedAt, { name, data })) lose('an event cannot be read');
    });
    const read = (text: string) => {
      if (isOver) return;
      expectMore();
      if (!readEvents(text)) lose('an event is too long');
    };
    expectMore();
    end = connection.open(PATH, (answer) => readAnswer(answer, read, lose), lose);
  }

  return {
    start() {
      if (isStarted || isClosed) return;
      isStarted = true;
      follow();
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      end();
    },
  };
}

function readAnswer(
  answer: IncomingMessage,
  read: (text: string) => void,
  lose: (reason: string) => void,
): void {
  answer.on('close', () => lose('the stream ended'));
  answer.on('error', () => lose('the stream broke'));
  if (answer.statusCode === 200) answer.setEncoding('utf8').on('data', read);
  else lose(`Gatehouse answered ${answer.statusCode}`);
}

/** Whether the clocks differ by more than since the stream began. A new stream has a new beginning. */
function haveClocksParted({ monotonic, wall }: Moment): boolean {
  const current = now();
  return Math.abs(current.monotonic - monotonic - (current.wall - wall)) > MAX_PARTED_MS;
}

/** With some chance in it, so that services do not all come back at once. */
function delayAfter(failures: number): number {
  const delay = Math.min(RETRY_MS.most, RETRY_MS.least * 2 ** failures);
  return delay * (0.5 + Math.random() / 2);
}

/** @returns false for an event that cannot be understood */
function passOn(
  listener: FeedListener,
  startedAt: Moment,
  { name, data }: { readonly name: string; readonly data: string },
): boolean {
  if (name === 'reset') {
    listener.onReset();
    return true;
  }
  if (name !== 'beat' && name !== 'change') return true;
  const { at, subjects, position } = parse(data);
  if (name === 'beat') {
    const isTime = typeof at === 'number' && at >= 0 && Number.isFinite(at);
    if (isTime) listener.onBeat(after(startedAt, at));
    return isTime;
  }
  if (!Array.isArray(subjects) || typeof position !== 'string') return false;
  listener.onChange(
    subjects.filter((subject) => typeof subject === 'string'),
    position,
  );
  return true;
}

function parse(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/**
 * Makes a reader of server-sent events that takes the text in pieces.
 * @returns a function that returns false for an event that is too long
 */
function createEventReader(onEvent: (name: string, data: string) => void) {
  let rest = '';
  return (text: string): boolean => {
    const blocks = (rest + text).split('\n\n');
    rest = blocks.pop() ?? '';
    if (rest.length > MAX_BLOCK) return false;
    for (const block of blocks) {
      let name = '';
      let data = '';
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) name = line.slice(7);
        else if (line.startsWith('data: ')) data += line.slice(6);
      }
      onEvent(name, data);
    }
    return true;
  };
}
