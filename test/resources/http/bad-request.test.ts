import { test } from 'tap';
import { checkRefusals, get, send, type BadRequest, type Refusal } from './refusals.ts';
import { pods, TestApi, widget, widgets } from './test-api.ts';

const one = `${widgets}/one`;
const list = (query: string): BadRequest => get(`${widgets}?${query}`);
const watch = (query: string): BadRequest => get(`${widgets}?watch=true&${query}`);
const make = (query: string): BadRequest => send('POST', `${widgets}?${query}`, widget('a'));
const page = token({ v: 1, rv: 1, ns: '', n: 'a' });

const parameters: readonly Refusal[] = [
  ['a bad label selector', list('labelSelector=a%3Db%3Dc'), 400, 'labelSelector'],
  ['a bad field selector', list('fieldSelector=metadata.name'), 400, 'fieldSelector'],
  ['a field that selects nothing', list('fieldSelector=spec.size%3D1'), 400, 'fieldSelector'],
  ['a limit that is no number', list('limit=ten'), 400, 'limit'],
  ['a negative limit', list('limit=-1'), 400, 'limit'],
  ['a token that is none', list('continue=hello'), 400, 'continue'],
  ['a token of another form', list(`continue=${token({ v: 2, rv: 1, ns: '', n: 'a' })}`), 400, 'continue'],
  ['a token with more in it', list(`continue=${token({ v: 1, rv: 1, ns: '', n: 'a', x: 1 })}`), 400, 'continue'],
  ['a token without end', list(`continue=${'a'.repeat(5000)}`), 400, 'continue'],
  ['a version that is none', list('resourceVersion=new'), 400, 'resourceVersion'],
  ['a version beyond all numbers', list('resourceVersion=99999999999999999999'), 400, 'resourceVersion'],
  ['a match that there is not', list('resourceVersion=1&resourceVersionMatch=Newest'), 400, 'resourceVersionMatch'],
  ['a match without a version', list('resourceVersionMatch=Exact'), 422, 'resourceVersionMatch'],
  ['exactly any version', list('resourceVersion=0&resourceVersionMatch=Exact'), 422, 'resourceVersionMatch'],
  [
    'a match beside a token',
    list(`resourceVersion=1&resourceVersionMatch=Exact&continue=${page}`),
    422,
    'resourceVersionMatch',
  ],
  ['a version beside a token', list(`resourceVersion=1&continue=${page}`), 400, 'resourceVersion'],
  ['initial events of a list', list('sendInitialEvents=true'), 422, 'sendInitialEvents'],
  ['initial events without a match', watch('sendInitialEvents=true'), 422, 'resourceVersionMatch'],
  ['a match alone', watch('resourceVersion=1&resourceVersionMatch=NotOlderThan'), 422, 'resourceVersionMatch'],
  ['a token in a watch', watch('continue=x'), 422, 'continue'],
  ['a watch that is maybe', list('watch=maybe'), 400, 'watch'],
  ['a time that is none', watch('timeoutSeconds=soon'), 400, 'timeoutSeconds'],
  ['half a dry run', make('dryRun=Some'), 400, 'dryRun'],
  ['a validation that there is not', make('fieldValidation=Maybe'), 400, 'fieldValidation'],
  ['a manager without end', make(`fieldManager=${'x'.repeat(129)}`), 400, 'fieldManager'],
  ['half an object in a table', list('includeObject=Half'), 400, 'includeObject'],
];

const future: readonly Refusal[] = [
  ['a list', list('resourceVersion=999999'), 504],
  ['exactly a list', list('resourceVersion=999999&resourceVersionMatch=Exact'), 504],
  ['an object', get(`${one}?resourceVersion=999999`), 504],
  ['a watch', watch('resourceVersion=999999'), 504],
  [
    'a watch with what there is',
    watch('resourceVersion=999999&resourceVersionMatch=NotOlderThan&sendInitialEvents=true'),
    504,
  ],
];

const places: readonly Refusal[] = [
  ['an object that is not there', get(`${widgets}/none`), 404, /^widgets\.example\.com "none" not found$/],
  ['a resource that is not there', get('/apis/example.com/v1/gadgets'), 404],
  ['a version that is not there', get('/apis/example.com/v9/widgets'), 404],
  ['a group that is not there', get('/apis/none.example.com'), 404],
  ['a subresource that is not there', get(`${pods}/one/log`), 404],
  ['a name without its namespace', get('/api/v1/pods/one'), 404],
  ['a namespace for what has none', get('/api/v1/namespaces/default/nodes'), 404],
  ['a slash in a name', get(`${widgets}/a%2Fb`), 400, 'path'],
  ['dots for a name', get(`${widgets}/%2e%2e`), 400, 'path'],
  ['a bad escape', get(`${widgets}/%zz`), 400, 'path'],
  ['a path without end', get(`${widgets}?${'x'.repeat(10_000)}&limit=x`), 400],
];

const methods: readonly Refusal[] = [
  ['a create at an object', send('POST', one, widget('one')), 405],
  ['an update of everything', send('PUT', widgets, widget('one')), 405],
  ['a create in all namespaces', send('POST', '/apis/example.com/v1/widgets', widget('one')), 405],
  ['a delete of a status', { method: 'DELETE', path: `${one}/status` }, 405],
  ['a method of nobody', { method: 'PROPFIND', path: one }, 405],
  ['a write to discovery', send('POST', '/apis', '{}'), 405],
];

const forms: readonly Refusal[] = [
  ['protobuf and nothing else', get(widgets, 'application/vnd.kubernetes.protobuf'), 406],
  ['a form of nobody', get(widgets, 'application/json;as=Chart;g=meta.k8s.io;v=v1'), 406],
  ['a watch as YAML', get(`${widgets}?watch=true`, 'application/yaml'), 406],
];

test('every bad request gets its HTTP status and a Status that names what is wrong', async (t) => {
  // Short waits, so that the future is not waited for.
  const api = await TestApi.start(t, { cache: { maxWaitMs: 20 } });
  t.equal((await api.call('POST', widgets, { body: widget('one') })).status, 201);
  await t.test('parameters', (t) => checkRefusals(t, api, parameters));
  await t.test('versions of the future', (t) => checkRefusals(t, api, future));
  await t.test('places', (t) => checkRefusals(t, api, places));
  await t.test('methods', (t) => checkRefusals(t, api, methods));
  await t.test('forms', (t) => checkRefusals(t, api, forms));
});

test('what has to do with the future tells clients of Kubernetes so', async (t) => {
  const api = await TestApi.start(t, { cache: { maxWaitMs: 1 } });
  const answer = await api.get(`${widgets}?resourceVersion=999999`);
  t.ok(String(answer.pick('details.causes.*.reason')).includes('ResourceVersionTooLarge'));
});

test('pages and watches of a time that is forgotten have expired', async (t) => {
  const api = await TestApi.start(t, { cache: { maxEvents: 4 } });
  for (const name of ['a', 'b', 'c']) await api.call('POST', widgets, { body: widget(name) });
  const next = (await api.get(`${widgets}?limit=1`)).pick('metadata.continue');
  for (let size = 1; size <= 8; size += 1) {
    const headers = { 'content-type': 'application/merge-patch+json' };
    await api.call('PATCH', `${widgets}/a`, { body: { spec: { size } }, headers });
  }
  await checkRefusals(t, api, [
    ['a page', list(`limit=1&continue=${String(next)}`), 410],
    ['a watch', watch('resourceVersion=1'), 410],
    ['a list', list('resourceVersion=1&resourceVersionMatch=Exact'), 410],
  ]);
});

test('a method that is not taken is answered with those that are', async (t) => {
  const api = await TestApi.start(t);
  t.equal((await api.call('PUT', widgets, { body: {} })).headers.allow, 'GET, HEAD, POST, PUT, PATCH, DELETE');
});

function token(content: object): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url');
}
