import { thinLink } from './thin-link.ts';
import { testShortForm } from './short-form.ts';

testShortForm('small calls go on beside a bulk transfer that fills a thin link', () => thinLink(false));
