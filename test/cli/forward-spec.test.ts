import { test } from 'tap';
import { parseCurlTarget } from '../../cli/curl.ts';
import { parseDialTarget, parseForward } from '../../cli/forward-spec.ts';

test('a forward names a service or an address, with or without a local port', (t) => {
  const expected: Readonly<Record<string, [localPort: number, to: string]>> = {
    'postgres': [0, 'postgres'],
    ':postgres': [0, 'postgres'],
    '0:postgres': [0, 'postgres'],
    '5432:postgres': [5432, 'postgres'],
    '5432:10.0.0.7:5433': [5432, '10.0.0.7:5433'],
    ':10.0.0.7:5433': [0, '10.0.0.7:5433'],
    '0:db.local:5433': [0, 'db.local:5433'],
    '10.0.0.7:5433': [5433, '10.0.0.7:5433'],
    'db.local:5433': [5433, 'db.local:5433'],
    'Localhost:80': [80, 'localhost:80'],
    '5432:[fd00::7]:5433': [5432, '[fd00::7]:5433'],
    '[fd00::7]:5433': [5433, '[fd00::7]:5433'],
    '80:80': [80, '80'],
  };
  for (const [text, [localPort, to]] of Object.entries(expected))
    t.strictSame(parseForward(text), { localPort, to }, text);
  t.end();
});

test('a forward that can be read in no way, or in several, is a usage error', (t) => {
  const wrong = [
    '',
    ':',
    '::',
    '5432:',
    'a:b',
    '70000:postgres',
    '1:2:3:4',
    '1:host:0',
    '1:host:70000',
    'fd00::7:80',
    '[fd00::7]',
    '[nonsense]:80',
    'Post_gres',
    '-1:a',
    'a b',
    '1:a:x',
  ];
  for (const text of wrong) t.throws(() => parseForward(text), { code: 'usage' }, text);
  t.end();
});

test('dial takes a service or an address', (t) => {
  t.equal(parseDialTarget('ssh'), 'ssh');
  t.equal(parseDialTarget('10.0.0.7:22'), '10.0.0.7:22');
  t.equal(parseDialTarget('[fd00::7]:22'), '[fd00::7]:22');
  for (const text of ['', ':ssh', '1:2:3', 'a:0', 'fd00::7:22'])
    t.throws(() => parseDialTarget(text), { code: 'usage' }, text);
  t.end();
});

test('curl takes an edge, a service and a path', (t) => {
  t.strictSame(parseCurlTarget('edge-1/hello/time'), { edge: 'edge-1', service: 'hello', path: '/time' });
  t.strictSame(parseCurlTarget('edge-1/hello'), { edge: 'edge-1', service: 'hello', path: '/' });
  t.strictSame(parseCurlTarget('edge-1/hello/'), { edge: 'edge-1', service: 'hello', path: '/' });
  t.strictSame(parseCurlTarget('edge-1/hello?a=/b'), { edge: 'edge-1', service: 'hello', path: '/?a=/b' });
  t.strictSame(parseCurlTarget('edge-1/hello//a%2Fb?c=d'), { edge: 'edge-1', service: 'hello', path: '//a%2Fb?c=d' });
  for (const text of ['', 'edge-1', '/edge-1/hello', 'edge_1/hello', 'edge-1/hello/#part'])
    t.throws(() => parseCurlTarget(text), { code: 'usage' }, text);
  t.end();
});
