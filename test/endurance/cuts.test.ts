import { cuts } from './cuts.ts';
import { testShortForm } from './short-form.ts';

testShortForm('streams go on, byte for byte, while links are cut, black-holed and half-open', () => cuts(false));
