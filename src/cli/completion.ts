import type { Command as Program, Option } from 'commander';

/** One command of the tree, and the words that can follow it. */
interface Node {
  /** The words that lead to it, such as `api-keys create`; empty for the program. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly CompletedOption[];
  /** Words that an argument can be. */
  readonly choices: readonly string[];
}

interface Word {
  readonly name: string;
  readonly summary: string;
}

interface CompletedOption extends Word {
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  /** A file name is completed as its value. */
  readonly isFile: boolean;
}

/**
 * A script that completes the commands and options of the program, without running it.
 * @param program the tree of commands
 * @param name the function or alias that is completed
 */
export function completionScript(
  program: Program,
  shell: 'bash' | 'zsh' | 'fish',
  name: string,
): string {
  const nodes = nodesOf(program);
  if (shell === 'bash') return bashScript(nodes, name);
  return shell === 'zsh' ? zshScript(nodes, name) : fishScript(nodes, name);
}

function nodesOf(program: Program, path: readonly string[] = []): readonly Node[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).filter((command) => command.name() !== 'help');
  const node = {
    path: path.join(' '),
    commands: commands.map((command) => ({
      name: command.name(),
      summary: help.subcommandDescription(command),
    })),
    options: help.visibleOptions(program).map(optionOf),
    choices: program.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [node, ...commands.flatMap((command) => nodesOf(command, [...path, command.name()]))];
}

function optionOf(option: Option): CompletedOption {
  return {
    name: option.long ?? option.flags,
    summary: option.description,
    takesValue: option.required,
    choices: option.argChoices ?? [],
    isFile: option.required && option.flags.endsWith('<FILE>'),
  };
}

/** In single quotes, for any of the shells. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

const functionOf = (name: string) => `_${name.replaceAll('-', '_')}_completion`;

function bashScript(nodes: readonly Node[], name: string): string {
  const words = nodes.map(({ path, commands, options, choices }) => {
    const all = [...commands.map((command) => command.name), ...choices];
    return `    ${quote(path)}) words=${quote([...all, ...options.map((o) => o.name)].join(' '))} ;;`;
  });
  return `# Completion of ${name} for bash; generated.
${functionOf(name)}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' taken='' index word
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ -n $taken ]]; then taken=''; continue; fi
    case "$path|$word" in
${bashCases(nodes, `taken=1`, ({ takesValue }) => takesValue)}
${bashPaths(nodes)}
    esac
  done
  if [[ -n $taken ]]; then
    case "$path|$word" in
${bashFileCases(nodes)}
    esac
    case "$path|$word" in
${bashChoiceCases(nodes)}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$path" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${functionOf(name)} ${name}
`;
}

/** A case per command whose options are meant: `path|--option`. */
function bashCases(
  nodes: readonly Node[],
  action: string,
  isMeant: (option: CompletedOption) => boolean,
): string {
  return nodes
    .flatMap(({ path, options }) => {
      const meant = options.filter(isMeant).map((option) => quote(`${path}|${option.name}`));
      return meant.length === 0 ? [] : [`      ${meant.join('|')}) ${action} ;;`];
    })
    .join('\n');
}

function bashPaths(nodes: readonly Node[]): string {
  return nodes
    .flatMap(({ path, commands }) =>
      commands.map(({ name }) => {
        const next = path === '' ? name : `${path} ${name}`;
        return `      ${quote(`${path}|${name}`)}) path=${quote(next)} ;;`;
      }),
    )
    .join('\n');
}

function bashFileCases(nodes: readonly Node[]): string {
  const action = 'COMPREPLY=($(compgen -f -- "$current")); return';
  return bashCases(nodes, action, ({ isFile }) => isFile);
}

function bashChoiceCases(nodes: readonly Node[]): string {
  return nodes
    .flatMap(({ path, options }) =>
      options
        .filter(({ choices }) => choices.length > 0)
        .map((option) => {
          const words = quote(option.choices.join(' '));
          return `      ${quote(`${path}|${option.name}`)}) words=${words} ;;`;
        }),
    )
    .join('\n');
}

function zshScript(nodes: readonly Node[], name: string): string {
  const described = ({ name: word, summary }: Word) =>
    quote(`${word.replaceAll(':', '\\:')}:${summary}`);
  const cases = nodes.map(({ path, commands, options, choices }) => {
    const words = [
      ...commands.map(described),
      ...choices.map((choice) => quote(choice)),
      ...options.map(described),
    ];
    return `    ${quote(path)}) words=(${words.join(' ')}) ;;`;
  });
  return `#compdef ${name}
# Completion of ${name} for zsh; generated.
${functionOf(name)}() {
  local path_='' taken='' word='' index
  local -a words_
  words_=("\${words[@]}")
  for ((index = 2; index < CURRENT; index++)); do
    word="\${words_[index]}"
    if [[ -n $taken ]]; then taken=''; continue; fi
    case "$path_|$word" in
${bashCases(nodes, `taken=1`, ({ takesValue }) => takesValue)}
${bashPaths(nodes).replaceAll(') path=', ') path_=')}
    esac
  done
  local -a words
  if [[ -n $taken ]]; then
    case "$path_|$word" in
${bashCases(nodes, '_files; return', ({ isFile }) => isFile)}
    esac
    case "$path_|$word" in
${zshChoiceCases(nodes)}
    esac
    (( $#words )) && compadd -- "\${words[@]}"
    return
  fi
  case "$path_" in
${cases.join('\n')}
  esac
  _describe ${quote(name)} words
}
if [[ "\${funcstack[1]}" == ${quote(`_${name}`)} ]]; then
  ${functionOf(name)} "$@"
else
  compdef ${functionOf(name)} ${name}
fi
`;
}

function zshChoiceCases(nodes: readonly Node[]): string {
  return nodes
    .flatMap(({ path, options }) =>
      options
        .filter(({ choices }) => choices.length > 0)
        .map((option) => {
          const words = option.choices.map(quote).join(' ');
          return `      ${quote(`${path}|${option.name}`)}) words=(${words}) ;;`;
        }),
    )
    .join('\n');
}

function fishScript(nodes: readonly Node[], name: string): string {
  const test = `__${name.replaceAll('-', '_')}_at`;
  const lines = nodes.flatMap(({ path, commands, options, choices }) => {
    const at = `complete -c ${name} -n ${quote(`${test} ${quotedForFish(path)}`)}`;
    return [
      ...commands.map((command) => `${at} -f -a ${command.name} -d ${quote(command.summary)}`),
      ...choices.map((choice) => `${at} -f -a ${choice}`),
      ...options.map((option) => `${at} ${fishOption(option)}`),
    ];
  });
  const nouns = nodes.filter(({ path }) => path !== '').map(({ path }) => quote(path));
  return `# Completion of ${name} for fish; generated.
function ${test} -d 'Whether the command typed so far is the given one'
    set -l path
    for word in (commandline -opc)[2..]
        set -l next (string join ' ' $path $word)
        contains -- $next ${nouns.join(' ')}; and set path $next
    end
    test "$path" = "$argv"
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

/** The words of a path as a function of the script takes them. */
function quotedForFish(path: string): string {
  return path;
}

function fishOption({ name, summary, takesValue, choices, isFile }: CompletedOption): string {
  const parts = [`-l ${name.replace(/^--/, '')}`, `-d ${quote(summary)}`];
  if (choices.length > 0) parts.push(`-x -a ${quote(choices.join(' '))}`);
  else if (isFile) parts.push('-r -F');
  else if (takesValue) parts.push('-x');
  return parts.join(' ');
}
