import { revocations } from './revocations.ts';
import { testShortForm } from './short-form.ts';

testShortForm('an edge that is denied under load is cut off whole, and no other one is', () => revocations(false));
