import { Command, CommanderError, Option } from 'commander';
import { cliError } from './cli-error.ts';
import { exitCodes } from './exit-code.ts';

/** One option of a command, `--api-port PORT` or, without a value, `--json`. */
export interface OptionSpec {
  /** As the help shows it: `-o, --output FORMAT`. */
  readonly flags: string;
  readonly help: string;
  readonly default?: string;
  readonly choices?: readonly string[];
  /** It may be given many times. */
  readonly many?: true;
}

/** A command as its own file describes it; `run` does the work, or `commands` do. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** As commander writes them: `<EDGE>`, `[PATH]`, `<FORWARD...>`. */
  readonly arguments?: readonly string[];
  readonly options?: readonly OptionSpec[];
  /** More about it, below the options. */
  readonly notes?: string;
  /** What stands behind `causeway`. */
  readonly examples?: readonly string[];
  /** Not shown: the program starts it itself. */
  readonly hidden?: true;
  readonly commands?: readonly CommandSpec[];
  readonly run?: (input: CommandInput) => Promise<void>;
}

/** What the command line said to a command. */
export class CommandInput {
  readonly arguments: readonly string[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(args: readonly string[], options: Readonly<Record<string, unknown>>) {
    this.arguments = args;
    this.#options = options;
  }

  /** The argument at a place; the command requires it, so it is there. */
  argument(index: number): string {
    return this.arguments[index] ?? '';
  }

  flag(name: string): boolean {
    return this.#options[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#options[name];
    return typeof value === 'string' ? value : undefined;
  }

  list(name: string): readonly string[] {
    const value = this.#options[name];
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** A whole number from `min` to `max`. Throws `usage`. */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d{1,9}$/u.test(text) && value >= min && value <= max) return value;
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw cliError('usage', `--${flag} takes a whole number from ${min} to ${max}, not ${JSON.stringify(text)}`);
  }
}

/**
 * Runs one command line. Resolves with the exit code when commander has answered it itself (help, a wrong option), and with
 * 0 when the command is done; what the command throws is thrown on.
 */
export async function runCommandLine(root: CommandSpec, version: string, args: readonly string[]): Promise<number> {
  const program = new Command(root.name);
  program.exitOverride().version(version, '-v, --version', 'print the version');
  program.showHelpAfterError('fix: add --help to see what the command takes');
  program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'causeway: ')) });
  describe(program, root, root.name);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
}

function describe(command: Command, spec: CommandSpec, path: string): void {
  command.description(`${spec.summary.charAt(0).toUpperCase()}${spec.summary.slice(1)}.`);
  command.summary(spec.summary);
  for (const argument of spec.arguments ?? []) command.argument(argument);
  for (const option of spec.options ?? []) command.addOption(optionOf(option));
  if (spec.notes !== undefined) command.addHelpText('after', `\n${spec.notes}`);
  if (spec.examples !== undefined) {
    command.addHelpText(
      'after',
      `\nExamples:\n${spec.examples.map((example) => `  ${path.split(' ')[0] ?? ''} ${example}`).join('\n')}`,
    );
  }
  for (const child of spec.commands ?? []) {
    describe(command.command(child.name, { hidden: child.hidden === true }), child, `${path} ${child.name}`);
  }
  const { run } = spec;
  if (run === undefined) return;
  command.action(() =>
    run(
      new CommandInput(
        command.processedArgs.flat().filter((each) => typeof each === 'string'),
        command.opts(),
      ),
    ),
  );
}

function optionOf(spec: OptionSpec): Option {
  // Commander tells a value from a switch by its brackets.
  const option = new Option(spec.flags.replace(/ ([A-Z][A-Z=]*)$/u, ' <$1>'), spec.help);
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.choices !== undefined) option.choices(spec.choices);
  if (spec.many) option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  return option;
}
