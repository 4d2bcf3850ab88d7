import { until } from '../app/until.js';
import { findFreePort } from './free-port.js';
import { createServerProcesses, type ServerProcess } from './server-process.js';

const COLLECTED = 'garbage is collected';
/** Lets the server collect its garbage at a signal: how much V8 leaves differs from run to run and machine to machine. */
const COLLECTING = [
  '--expose-gc',
  '--import',
  `data:text/javascript,process.on('SIGUSR2',()=>{gc();gc();console.error('${COLLECTED}')})`,
];

/** Server processes whose memory can be measured without garbage. */
export async function createMeasuredProcesses(options: readonly string[] = []) {
  const port = await findFreePort();
  const collections = ({ stderr }: ServerProcess) => stderr().split(COLLECTED).length;
  return {
    processes: createServerProcesses(undefined, [...COLLECTING, ...options]),
    /** For the environment of the one process that is measured. */
    env: { METRICS_PORT: String(port) },
    /** Collects the garbage of a server. @returns megabytes that it holds, in the heap and outside */
    async heldBy(server: ServerProcess): Promise<number> {
      const before = collections(server);
      process.kill(server.pid, 'SIGUSR2');
      await until(() => collections(server) > before);
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      const text = await answer.text();
      const bytes =
        read(text, 'nodejs_heap_size_used_bytes') + read(text, 'nodejs_external_memory_bytes');
      return bytes / 2 ** 20;
    },
  };
}

function read(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}
