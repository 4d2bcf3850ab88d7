import { defineLocalCommand } from '../command.js';
import { PlainText } from '../output.js';
import { oneOf } from '../value-types.js';
import { Misuse } from '../errors.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const COMPLETION_COMMAND = defineLocalCommand({
  name: 'completion',
  summary: 'Prints a script that completes commands, options and their values in a shell.',
  details:
    'It completes a shell function or alias that stands for the command line, called gatehouse unless --name names it.',
  arguments: { shell: { required: true, type: oneOf(SHELLS), summary: 'the shell' } },
  options: {
    name: { value: 'NAME', default: 'gatehouse', summary: 'name of the function or alias' },
  },
  examples: [
    'cli completion bash > ~/.local/share/bash-completion/completions/gatehouse',
    'cli completion zsh > ~/.zfunc/_gatehouse',
    'cli completion fish > ~/.config/fish/completions/gatehouse.fish',
  ],
  async runLocally({ shell, name }, program) {
    if (!/^[a-z][\w-]{0,63}$/i.test(name)) throw new Misuse('--name must be a word.');
    const { completionScript } = await import('../completion.js');
    return new PlainText(completionScript(program, shell, name));
  },
});
