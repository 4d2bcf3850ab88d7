import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** The program of each process: posts the form that it is sent, and reports the answer. */
const PROGRAM = `
  process.on('message', async ({ url, form }) => {
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
    process.send({ status: answer.status, body: await answer.text() });
  });
  process.send('ready');
`;

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
  end(): Promise<void>;
}

export async function startPostingProcesses(count: number): Promise<PostingProcesses> {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', PROGRAM], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  return {
    post: (urls, form) =>
      Promise.all(
        children.map(async (child, index) => {
          const answered = once(child, 'message');
          child.send({ url: urls[index % urls.length], form });
          const [answer] = (await answered) as [PostedAnswer];
          return answer;
        }),
      ),
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
