import { stalledReaders } from './stalled-readers.ts';
import { testShortForm } from './short-form.ts';

testShortForm('readers that stopped cost no more than their windows', () => stalledReaders(false, [0, 3]));
