import { caEncryptCommand } from './ca-encrypt.ts';
import { caExportCommand } from './ca-export.ts';
import { caIssueCommand } from './ca-issue.ts';
import { caRotateCommand } from './ca-rotate.ts';
import { caShowCommand } from './ca-show.ts';
import type { CommandSpec } from './command-line.ts';

export const caCommand: CommandSpec = {
  name: 'ca',
  summary: 'the authorities of the fleet: issue certificates, roll the root',
  commands: [caShowCommand, caIssueCommand, caRotateCommand, caExportCommand, caEncryptCommand],
};
