import { renewals } from './renewals.ts';
import { testShortForm } from './short-form.ts';

testShortForm('streams and requests go on while certificates are renewed and the root is rolled', () =>
  renewals(false),
);
