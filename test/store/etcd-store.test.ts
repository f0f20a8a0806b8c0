import t from 'tap';

import { openStore, type Store } from '../../store/index.ts';
import { EtcdCluster } from '../support/etcd.ts';
import { storeContract } from './store-contract.ts';

const cluster = await EtcdCluster.start();
t.teardown(() => cluster.stop());

/** A part of etcd of its own for each test: history is one for all, and one test gives up some of it. */
let parts = 0;
const openPart = (part: number): Promise<Store> =>
  openStore({ etcd: { endpoints: cluster.endpoints, prefix: `/part-${part}` } });

storeContract('etcd', () => openPart(parts++));
