import { until } from './until.js';

export interface ChangeEvent {
  readonly name: string;
  readonly data: {
    readonly subjects?: readonly string[];
    readonly position?: string;
    readonly at?: number;
  };
}

/** An open stream of `/api/v1/verify/changes`, with the events that have arrived. */
export interface OpenStream {
  readonly status: number;
  readonly headers: Headers;
  readonly events: readonly ChangeEvent[];
  /** The subjects of all changes, in their order. */
  subjects(): readonly string[];
  /** Waits until everything that is committed by now was sent. */
  caughtUp(): Promise<void>;
  /** Resolves at the end: whether the answer was complete. */
  readonly ended: Promise<boolean>;
  close(): void;
}

export async function openStream(
  origin: string,
  headers: Readonly<Record<string, string>>,
): Promise<OpenStream> {
  const abort = new AbortController();
  const startedAt = performance.now();
  const answer = await fetch(`${origin}/api/v1/verify/changes`, { headers, signal: abort.signal });
  const events: ChangeEvent[] = [];
  const ended = read(answer, events).then(
    () => true,
    () => false,
  );
  return {
    status: answer.status,
    headers: answer.headers,
    events,
    ended,
    subjects: () => events.flatMap(({ data }) => data.subjects ?? []),
    async caughtUp() {
      const wanted = performance.now() - startedAt;
      await until(() => events.some(({ data }) => (data.at ?? 0) > wanted));
    },
    close: () => abort.abort(),
  };
}

async function read({ body }: Response, events: ChangeEvent[]): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2) ?? '';
      events.push({ name: field('event'), data: JSON.parse(field('data')) as ChangeEvent['data'] });
    }
  }
}
