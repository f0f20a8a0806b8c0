import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { CodedError } from '../base/index.ts';
import { storeError, type StoreCode } from './store-error.ts';

/** "CAUS": tells the file from other SQLite files. */
const applicationId = 0x43415553;
const formatVersion = 1;

const schema = `
  CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, compacted INTEGER NOT NULL) STRICT;
  INSERT INTO state VALUES (1, 1, 0);
  CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, lease TEXT) STRICT;
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  -- What every revision wrote; a NULL value is a delete.
  CREATE TABLE history (revision INTEGER, key TEXT, value BLOB, created INTEGER, lease TEXT, PRIMARY KEY (revision, key)) STRICT;
  CREATE TABLE leases (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${formatVersion};
`;

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const codes = new Map<number, StoreCode>([
  [5, 'store-locked'],
  [11, 'store-corrupt'],
  [26, 'store-corrupt'],
]);

/**
 * Opens the database of a store, for this process alone until it is closed or the process ends, however it ends. What a
 * transaction committed is on the disk. Without a file it is in memory.
 * Throws `store-locked`, `store-corrupt`, `store-format` or `store-failed`, each naming the file.
 */
export function openDatabase(file: string | undefined): DatabaseSync {
  return guard(file, () => {
    if (file !== undefined) makePrivate(file);
    const database = new DatabaseSync(file ?? ':memory:', { timeout: 0 });
    try {
      // In this order: in exclusive mode the write-ahead log needs no shared memory, and the lock is kept from the first use on.
      database.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF',
      );
      transact(database, () => prepare(database, file));
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Runs `work` in a transaction: all of it is durable, or none of it happened. */
export function transact<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Runs `work` and makes SQLite's and the file system's errors ones of the store's table. */
export function guard<T>(file: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CodedError) throw error;
    const result =
      error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
    throw storeError(codes.get(result) ?? 'store-failed', file ?? 'in memory', error);
  }
}

/** The store holds hashes of tokens and everybody's policy. SQLite gives its other files the mode of the main one. */
function makePrivate(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, 'a', 0o600));
}

function prepare(database: DatabaseSync, file: string | undefined): void {
  const fault = valueOf(database, 'quick_check(1)');
  if (fault !== 'ok') throw storeError('store-corrupt', `${file}: ${String(fault)}`);
  const isEmpty = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get()?.['tables'] === 0;
  if (isEmpty) {
    database.exec(schema);
    return;
  }
  if (valueOf(database, 'application_id') !== applicationId)
    throw storeError('store-corrupt', `${file}: another program's database`);
  const version = valueOf(database, 'user_version');
  if (version !== formatVersion)
    throw storeError('store-format', `${file}: format ${String(version)}, this version knows ${formatVersion}`);
}

function valueOf(database: DatabaseSync, pragma: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];
}
