import { badIssuers } from './bad-issuers.ts';
import { badLeaves } from './bad-leaves.ts';
import { goodChains } from './good-chains.ts';
import type { ChainRow } from './chain-row.ts';

/** Chains, and what has to come of each at each door. */
export const chainTable: readonly ChainRow[] = [...goodChains, ...badLeaves, ...badIssuers];
