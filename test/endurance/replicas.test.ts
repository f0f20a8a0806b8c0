import { replicas } from './replicas.ts';
import { testShortForm } from './short-form.ts';

testShortForm('nothing fails and streams go on, byte for byte, while replicas are killed and stand still', () =>
  replicas(false),
);
