import t from 'tap';

import { errorOfStatus, statusOf } from '../../api/index.ts';
import { CodedError } from '../../base/index.ts';

t.test('an error becomes a Status with its code, its reason by HTTP status, and its fix', async (t) => {
  const error = new CodedError('not-opened', 'no link', {
    status: 503,
    retryable: true,
    retryAfterMs: 1200,
    fix: 'try again',
  });
  t.strictSame(statusOf(error, { kind: 'edgenodes', name: 'edge-1' }), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'no link',
    reason: 'ServiceUnavailable',
    details: {
      kind: 'edgenodes',
      name: 'edge-1',
      retryAfterSeconds: 2,
      causes: [
        { reason: 'not-opened', message: 'no link' },
        { reason: 'fix', message: 'try again' },
      ],
    },
    code: 503,
  });
});

t.test('reasons are those that Kubernetes clients look for', async (t) => {
  const reasonOf = (status: number, code = 'x') => statusOf(new CodedError(code, '', { status })).reason;
  t.strictSame(
    [400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504].map((status) => reasonOf(status)),
    [
      'BadRequest',
      'Unauthorized',
      'Forbidden',
      'NotFound',
      'Conflict',
      'Expired',
      'Invalid',
      'TooManyRequests',
      'InternalError',
      'ServiceUnavailable',
      'Timeout',
    ],
  );
  t.equal(reasonOf(409, 'object-exists'), 'AlreadyExists');
  t.equal(reasonOf(409, 'constructor'), 'Conflict');
  t.equal(reasonOf(502), '');
});

t.test('of a foreign error nothing but that it happened is told', async (t) => {
  for (const error of [new Error('password hunter2'), 'hunter2', undefined]) {
    const status = statusOf(error);
    t.notMatch(JSON.stringify(status), 'hunter2');
    t.match(status, { code: 500, reason: 'InternalError', details: { causes: [{ reason: 'internal' }] } });
  }
  const cause = new CodedError('x', 'outside', { cause: new Error('hunter2') });
  t.notMatch(JSON.stringify(statusOf(cause)), 'hunter2');
});

t.test('fields that are wrong are causes of their own, and the only ones of an invalid object', async (t) => {
  const causes = [{ field: 'spec.x', reason: 'FieldValueInvalid', message: 'Invalid value: 1' }];
  const invalid = statusOf(new CodedError('object-invalid', 'no', { status: 422, causes, fix: 'correct it' }));
  t.strictSame(invalid.details.causes, causes);
  t.match(errorOfStatus(JSON.parse(JSON.stringify(invalid))), { code: 'object-invalid', status: 422, causes });
  const bad = statusOf(new CodedError('request-invalid', 'no', { status: 400, causes }));
  t.strictSame(bad.details.causes, [{ reason: 'request-invalid', message: 'no' }, ...causes]);
  t.match(errorOfStatus(JSON.parse(JSON.stringify(bad))), { code: 'request-invalid', causes });
  const future = statusOf(new CodedError('version-too-new', 'no', { status: 504 }));
  t.match(future, { reason: 'Timeout', details: { causes: [{}, { reason: 'ResourceVersionTooLarge' }] } });
});

t.test('a failure of a Kubernetes API gets the code of ours that means the same', async (t) => {
  const rows = {
    NotFound: 'object-not-found',
    AlreadyExists: 'object-exists',
    Conflict: 'object-conflict',
    Invalid: 'object-invalid',
    Expired: 'version-expired',
    Gone: 'version-expired',
    Forbidden: 'access-denied',
    BadRequest: 'request-invalid',
    Other: 'internal',
  };
  for (const [reason, code] of Object.entries(rows)) {
    const causes = [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.x' }];
    const body = { kind: 'Status', status: 'Failure', reason, message: 'm', code: 400, details: { causes } };
    t.match(errorOfStatus(body), { code, message: 'm', causes: [{ field: 'spec.x' }] }, reason);
  }
});

t.test('a Status reads back as the error', async (t) => {
  const error = new CodedError('not-opened', 'no link', {
    status: 503,
    retryable: true,
    retryAfterMs: 2000,
    fix: 'try again',
  });
  const back = errorOfStatus(JSON.parse(JSON.stringify(statusOf(error))));
  t.match(back, {
    code: 'not-opened',
    message: 'no link',
    status: 503,
    retryable: true,
    retryAfterMs: 2000,
    fix: 'try again',
  });
  for (const body of [null, 'x', [], { kind: 'Pod' }, { kind: 'Status', status: 'Success' }])
    t.equal(errorOfStatus(body), undefined);
  t.match(errorOfStatus({ kind: 'Status', status: 'Failure', details: { causes: [1, {}] } }), {
    code: 'internal',
    status: 500,
  });
});
