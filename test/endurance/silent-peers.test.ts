import { testShortForm } from './short-form.ts';
import { silentPeers } from './silent-peers.ts';

testShortForm('peers that connect and say nothing are cut at each step, and cost nothing', () => silentPeers(false));
