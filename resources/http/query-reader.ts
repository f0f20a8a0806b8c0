import { CodedError, type ErrorCause } from '../../base/index.ts';
import { resourceError } from '../resource-error.ts';

/** Reads the parameters of a request, each by its type; every failure names the parameter. An empty value means that it is not given. */
export class QueryReader {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  text(name: string): string | undefined {
    const value = this.#query.get(name);
    return value === null || value === '' ? undefined : value;
  }

  /** As Go's `ParseBool` with Kubernetes' leniency: present without a value means true. */
  flag(name: string): boolean | undefined {
    const value = this.#query.get(name);
    if (value === null) return undefined;
    if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
    if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
    throw invalidParameter(name, value, 'true or false is expected');
  }

  /** A whole number of 0 or more. */
  count(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const count = Number(value);
    if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(count))
      throw invalidParameter(name, value, 'a whole number of 0 or more is expected');
    return count;
  }

  choice<const T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw invalidParameter(name, value, `one of ${choices.join(', ')} is expected`);
    return found;
  }

  /** Runs `read` on a parameter; what it throws gets the parameter's name. */
  parsed<T>(name: string, read: (value: string) => T): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof CodedError) || error.causes.length > 0) throw error;
      throw new CodedError(error.code, `${name}: ${error.message}`, {
        status: error.status,
        retryable: error.retryable,
        ...(error.fix === undefined ? {} : { fix: error.fix }),
        causes: [{ field: name, reason: 'FieldValueInvalid', message: error.message }],
        cause: error,
      });
    }
  }
}

/** The value of a parameter is not one that it can have. */
export function invalidParameter(name: string, value: string, why: string): CodedError {
  const message = `${JSON.stringify(value.slice(0, 100))}: ${why}`;
  return withCause('request-invalid', {
    field: name,
    reason: 'FieldValueInvalid',
    message: `Invalid value: ${message}`,
  });
}

/** Each parameter is right, but not beside the others. */
export function forbiddenParameter(name: string, why: string): CodedError {
  return withCause('parameters-conflict', { field: name, reason: 'FieldValueForbidden', message: `Forbidden: ${why}` });
}

function withCause(code: 'request-invalid' | 'parameters-conflict', cause: ErrorCause): CodedError {
  return resourceError(code, { detail: `${cause.field}: ${cause.message}`, causes: [cause] });
}
