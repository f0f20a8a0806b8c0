import t from 'tap';

import { formatIdentity, identityName, identityOf, parseIdentity } from '../../certs/index.ts';

const good = [
  'spiffe://causeway.example/edge/edge-1',
  'spiffe://causeway.example/replica/site-a/r0',
  'spiffe://causeway.example/component/vm-control',
  'spiffe://causeway.example/operator/anna.b_c',
  `spiffe://local/edge/${'a'.repeat(63)}`,
];

t.test('an identity and its URI are one', async (t) => {
  for (const uri of good) t.equal(formatIdentity(parseIdentity(uri)), uri);
  t.equal(identityName(parseIdentity(good[1] ?? '')), 'replica/site-a/r0');
  t.strictSame(identityOf('local', 'edge/e'), { kind: 'edge', trustDomain: 'local', id: 'e' });
});

t.test('what is not exactly an identity is refused', async (t) => {
  const bad = [
    '',
    'spiffe://',
    'spiffe://local',
    'spiffe://local/',
    'spiffe://local/edge',
    'spiffe://local/edge/',
    'spiffe://local/edge/a/',
    'spiffe://local/edge/a/b',
    'spiffe://local/replica/a',
    'spiffe://local/replica/a/b/c',
    'spiffe://local/issuer/edge',
    'spiffe://local/admin/a',
    'SPIFFE://local/edge/a',
    'spiffe://Local/edge/a',
    'spiffe://local/Edge/a',
    'spiffe://local/edge/A',
    'spiffe://local:80/edge/a',
    'spiffe://u@local/edge/a',
    'spiffe://local/edge/a?x',
    'spiffe://local/edge/a#x',
    'spiffe://local/edge/%61',
    'spiffe://local/edge/a\0',
    'spiffe://local/edge/a\n',
    'spiffe://local/edge/..',
    'spiffe://local//edge/a',
    ' spiffe://local/edge/a',
    'https://local/edge/a',
    'spiffe://local/operator/-a',
    'spiffe://local/constructor/a',
    `spiffe://local/edge/${'a'.repeat(64)}`,
    `spiffe://${'a.'.repeat(200)}a/edge/a`,
  ];
  for (const uri of bad) t.throws(() => parseIdentity(uri), { code: 'identity-malformed' }, uri);
});

t.test('an identity whose parts would read as another is not written', async (t) => {
  t.throws(() => formatIdentity({ kind: 'edge', trustDomain: 'local', id: 'a/b' }), { code: 'identity-malformed' });
  t.throws(() => formatIdentity({ kind: 'component', trustDomain: 'local/edge', name: 'a' }), {
    code: 'identity-malformed',
  });
  t.throws(() => formatIdentity({ kind: 'replica', trustDomain: 'local', site: '', name: 'a' }), {
    code: 'identity-malformed',
  });
});
