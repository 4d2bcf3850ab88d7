import { runCommandLine } from './cli/run.js';

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  directory: process.cwd(),
  input: process.stdin,
  output: process.stdout,
  messages: process.stderr,
});
