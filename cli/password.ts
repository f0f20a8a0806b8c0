import { readPassword } from '../certs/index.ts';
import { cliError } from './cli-error.ts';
import type { CommandInput, OptionSpec } from './command-line.ts';

/** `--password-file`, for what is asked on a terminal otherwise; a password is never on the command line, where everyone sees it. */
export const passwordOption: OptionSpec = {
  flags: '--password-file FILE',
  help: 'a file with the password in its first line (default: it is asked for)',
};

const MIN_LENGTH = 8;
const MAX_LENGTH = 512;

const enter = new Set(['\r', '\n']);
const interrupt = '\u0003';
const endOfInput = '\u0004';
const erase = new Set(['\u007F', '\b']);

/** A new password, from the file or, twice, from the terminal. Throws `usage`, `key-password`. */
export async function newPassword(input: CommandInput): Promise<string> {
  const file = input.text('passwordFile');
  const password = file === undefined ? await askTwice() : await readPassword(file);
  if (password.length < MIN_LENGTH) throw cliError('usage', `a password has at least ${MIN_LENGTH} characters`);
  return password;
}

async function askTwice(): Promise<string> {
  const first = await ask('Password: ');
  if ((await ask('Once more: ')) !== first) throw cliError('usage', 'the two are not the same');
  return first;
}

/** Reads a line from the terminal and shows nothing of it. */
async function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) throw cliError('usage', 'there is no terminal to ask for the password on: give --password-file');
  stderr.write(prompt);
  stdin.setRawMode(true);
  try {
    let line = '';
    // Leaving the loop early must not end the input: it is read again.
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const character of String(chunk)) {
        if (enter.has(character) || character === endOfInput) return line;
        if (character === interrupt) throw cliError('usage', 'interrupted');
        line = erase.has(character) ? line.slice(0, -1) : `${line}${character}`.slice(0, MAX_LENGTH);
      }
    }
    return line;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}
