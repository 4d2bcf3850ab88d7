import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** The program of each process: sends the request that it is given, and reports the answer. */
const PROGRAM = `
  process.on('message', async ({ url, ...request }) => {
    const answer = await fetch(url, request);
    process.send({ status: answer.status, body: await answer.text() });
  });
  process.send('ready');
`;

/** A request as `fetch` takes it. */
export interface SentRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PostedAnswer {
  readonly status: number;
  readonly body: string;
}

/** Processes of one client, such as windows of an editor. They share nothing but its credentials. */
export interface PostingProcesses {
  /** Each process posts the form to one of the URLs, all at once. */
  post(
    urls: readonly string[],
    form: Readonly<Record<string, string>>,
  ): Promise<readonly PostedAnswer[]>;
  /** Each process sends the request to one of the URLs, all at once. */
  send(urls: readonly string[], request: SentRequest): Promise<readonly PostedAnswer[]>;
  end(): Promise<void>;
}

export async function startPostingProcesses(count: number): Promise<PostingProcesses> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', PROGRAM], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  const send: PostingProcesses['send'] = (urls, request) =>
    Promise.all(
      children.map(async (child, index) => {
        const answered = once(child, 'message');
        child.send({ url: urls[index % urls.length], ...request });
        const [answer] = (await answered) as [PostedAnswer];
        return answer;
      }),
    );
  return {
    send,
    post: (urls, form) => {
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
      return send(urls, { method: 'POST', headers, body: String(new URLSearchParams(form)) });
    },
    async end() {
      await Promise.all(children.map(endChild));
    },
  };
}

async function endChild(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
